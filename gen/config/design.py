"""The configuration of an accelerator: typed, frozen, validated; read from TOML.

*What* is computed (number formats, groups) stands apart from *how* (array sizes, lanes) and from *how much*
(limits, which size the counters). The first decides every output bit; the others never change one.
"""

from __future__ import annotations

import reprlib
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .formats import FLOAT_FORMATS, FP32, FloatFormat

MAX_CONFIG_BYTES = 1 << 20
"""A configuration file larger than this is refused unread."""


class ConfigError(ValueError):
    """A configuration that cannot be built. The message is one line: field, value, rule."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Numbers(_Section):
    """What the numbers are."""

    data: Annotated[
        Literal["fp16", "bf16"], Field(description="layer inputs, outputs, bias, low-rank factors, z")
    ]
    scale: Annotated[Literal["fp16", "bf16", "e8m0"], Field(description="scale of a coarse group")]
    activation_bits: Annotated[
        int, Field(ge=2, le=8, description="bits of an activation code, two's complement")
    ]
    weight_bits: Annotated[int, Field(ge=2, le=8, description="bits of a weight code, two's complement")]

    @property
    def data_format(self) -> FloatFormat:
        """Format of inputs, outputs, bias, U, V and z."""
        return FLOAT_FORMATS[self.data]

    @property
    def scale_format(self) -> FloatFormat:
        """Format of the coarse scales."""
        return FLOAT_FORMATS[self.scale]

    @property
    def sum_format(self) -> FloatFormat:
        """Format of the sums across coarse groups and of the low-rank sums."""
        return FP32


class Groups(_Section):
    """Hierarchical group quantization: which values share a scale and which a shift."""

    fine: Annotated[int, Field(ge=1, le=1024, description="values that share a shift")]
    coarse: Annotated[int, Field(ge=1, le=65536, description="values that share a scale; a multiple of fine")]
    activation_shift_bits: Annotated[int, Field(ge=0, le=4, description="bits of an activation's fine shift")]
    weight_shift_bits: Annotated[int, Field(ge=0, le=4, description="bits of a weight's fine shift")]

    @property
    def max_activation_shift(self) -> int:
        """Kx of the contract."""
        return (1 << self.activation_shift_bits) - 1

    @property
    def max_weight_shift(self) -> int:
        """Kw of the contract."""
        return (1 << self.weight_shift_bits) - 1

    @property
    def max_shift(self) -> int:
        """Kx + Kw: binary places of an accumulator below the product of the codes' units."""
        return self.max_activation_shift + self.max_weight_shift


class Rmc(_Section):
    """Residual matrix core: an output-stationary array of processing elements."""

    rows: Annotated[int, Field(ge=1, le=256, description="outputs (N) of a tile")]
    cols: Annotated[int, Field(ge=1, le=256, description="tokens (T) of a tile")]
    lanes: Annotated[int, Field(ge=1, le=256, description="products per PE and cycle; divides groups.fine")]


class Lvc(_Section):
    """Low-rank vector core; it also adds residual, low-rank sum and bias."""

    lanes: Annotated[int, Field(ge=1, le=65536, description="FP lanes: a multiple of rmc.rows")]
    max_rank: Annotated[int, Field(ge=1, le=1024, description="largest rank that z has room for")]


class Limits(_Section):
    """The largest layer; sizes the counters."""

    inputs: Annotated[int, Field(ge=1, le=1 << 24, description="largest K")]
    outputs: Annotated[int, Field(ge=1, le=1 << 24, description="largest N")]
    tokens: Annotated[int, Field(ge=1, le=1 << 24, description="largest T")]


class Config(_Section):
    """One accelerator.

    Raises
    ------
    ConfigError : through `load`, `parse` and `preset`; one line naming the field, its value and the rule.
    """

    numbers: Numbers
    groups: Groups
    rmc: Rmc
    lvc: Lvc
    limits: Limits

    # -- derived sizes: each stated once, here ---------------------------------------------------------------

    @property
    def beats(self) -> int:
        """Cycles in which a PE takes one coarse group."""
        return self.groups.coarse // self.rmc.lanes

    @property
    def csu_share(self) -> int:
        """PEs of a row that one coarse-scale unit serves: the largest divisor of `cols` that is at most `beats`."""
        return max(s for s in range(1, self.rmc.cols + 1) if self.rmc.cols % s == 0 and s <= self.beats)

    @property
    def lvc_tokens(self) -> int:
        """Tokens that the vector core works on in one cycle."""
        return self.lvc.lanes // self.rmc.rows

    @property
    def dot_bits(self) -> int:
        """Bits of the dot product of one beat, two's complement."""
        return _signed_bits(self.rmc.lanes * self._largest_product)

    @property
    def accumulator_bits(self) -> int:
        """Bits of a PE's accumulator, two's complement: it cannot overflow in a coarse group."""
        return _signed_bits((self.groups.coarse * self._largest_product) << self.groups.max_shift)

    @property
    def _largest_product(self) -> int:
        return 1 << (self.numbers.activation_bits + self.numbers.weight_bits - 2)

    # -- reading ----------------------------------------------------------------------------------------------

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Config:
        """Validate a nested dictionary, as TOML gives it."""
        try:
            config = cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(_explain(error)) from None
        for broken in config._broken_rules():
            raise ConfigError(broken)
        return config

    @classmethod
    def load(cls, source: str) -> Config:
        """Read a preset by its name, or a TOML file by its path."""
        if source in preset_names():
            return preset(source)
        path = Path(source)
        try:
            if not path.is_file():
                names = ", ".join(preset_names())
                raise ConfigError(f"config={source} must be a preset ({names}) or an existing TOML file")
            if path.stat().st_size > MAX_CONFIG_BYTES:
                raise ConfigError(f"config={source} must be at most {MAX_CONFIG_BYTES} bytes")
            text = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"config={source} must be a file that can be read: {error.strerror}") from None
        try:
            values = tomllib.loads(text.decode("utf-8-sig"))
        except RecursionError:
            raise ConfigError(f"config={source} must be TOML: it is nested too deeply") from None
        except ValueError as error:  # not UTF-8, not TOML, an integer of thousands of digits
            raise ConfigError(f"config={source} must be TOML: {error}") from None
        return cls.parse(values)

    def replace(self, **changes: Any) -> Config:
        """A copy with changes such as ``rmc__rows=2``, validated again."""
        values = self.model_dump()
        for name, value in changes.items():
            section, _, field = name.partition("__")
            if section not in values or not field:
                raise ConfigError(f"{name}={_shown(value)} must be named section__field, as rmc__rows is")
            values[section][field] = value
        return Config.parse(values)

    def _broken_rules(self) -> list[str]:
        rules = [
            (
                self.groups.coarse % self.groups.fine == 0,
                f"groups.coarse={self.groups.coarse} must be a multiple of groups.fine={self.groups.fine}",
            ),
            (
                self.groups.fine % self.rmc.lanes == 0,
                f"rmc.lanes={self.rmc.lanes} must divide groups.fine={self.groups.fine}",
            ),
            (
                self.lvc.lanes % self.rmc.rows == 0,
                f"lvc.lanes={self.lvc.lanes} must be a multiple of rmc.rows={self.rmc.rows}",
            ),
            (
                self.lvc.lanes % self.rmc.rows or self.rmc.cols % (self.lvc.lanes // self.rmc.rows) == 0,
                f"lvc.lanes={self.lvc.lanes} must be rmc.rows={self.rmc.rows} times a divisor of "
                f"rmc.cols={self.rmc.cols}",
            ),
            (
                self.accumulator_bits <= 48,
                f"groups.coarse={self.groups.coarse} needs an accumulator of {self.accumulator_bits} bits; "
                "it must need at most 48 (fewer code or shift bits help)",
            ),
        ]
        return [message for holds, message in rules if not holds]


def _signed_bits(magnitude: int) -> int:
    """Bits of a two's complement number that holds every value from -magnitude to magnitude."""
    return magnitude.bit_length() + 1


def _explain(error: ValidationError) -> str:
    """The first problem of a pydantic report in our form: field, value, rule."""
    problem = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in problem["loc"]) or "configuration"
    shown = f"{field}={_shown(problem['input'])}"
    match problem["type"]:
        case "missing":
            return f"{field} is missing; every field must be given (start from a preset: sevedo presets)"
        case "extra_forbidden":
            sections = {name: info.annotation for name, info in Config.model_fields.items()}
            known = sections[field.split(".")[0]].model_fields if "." in field else sections  # type: ignore[union-attr]
            return f"{shown} is not a field; it must be one of {', '.join(known)}"
        case "model_type":
            return f"{shown} must be a section with fields"
    return f"{shown} {problem['msg'].replace('Input should be', 'must be')}"


def _shown(value: Any) -> str:
    """A value as Python writes it, cut to what fits a line."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 60
    try:
        return short.repr(value)
    except ValueError:  # Python refuses to write integers of thousands of digits
        return "(too long to show)"


def _preset_folder() -> Any:
    return resources.files(__package__) / "presets"


def preset_names() -> list[str]:
    """Names of the presets, sorted."""
    return sorted(
        f.name.removesuffix(".toml") for f in _preset_folder().iterdir() if f.name.endswith(".toml")
    )


def preset_text(name: str) -> str:
    """The TOML text of a preset, comments included, for a user to copy."""
    if name not in preset_names():
        raise ConfigError(f"preset={name} must be one of {', '.join(preset_names())}")
    return (_preset_folder() / f"{name}.toml").read_text(encoding="utf-8")


def preset(name: str) -> Config:
    """A preset, validated."""
    return Config.parse(tomllib.loads(preset_text(name)))
