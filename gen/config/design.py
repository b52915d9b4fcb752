"""The configuration of an accelerator: typed, frozen, validated; read from TOML.

*What* is computed (number formats, groups) stands apart from *how* (array sizes, lanes) and from *how much*
(limits, which size the counters). The first decides every output bit; the others never change one.
"""

from __future__ import annotations

import hashlib
import json
import reprlib
import tomllib
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, ValidationError

from .formats import FLOAT_FORMATS, FP32, FloatFormat
from .groups import DEFAULTS, SCHEMES, Groups, Section

MAX_CONFIG_BYTES = 1 << 20
"""A configuration file larger than this is refused unread."""


class ConfigError(ValueError):
    """A configuration that cannot be built. The message is one line: field, value, rule."""


class Numbers(Section):
    """What the numbers are."""

    data: Annotated[
        Literal["fp16", "bf16"], Field(description="layer inputs, outputs, bias, low-rank factors, z")
    ]
    activation_bits: Annotated[
        int, Field(ge=2, le=8, description="bits of an activation code, two's complement")
    ]
    weight_bits: Annotated[int, Field(ge=2, le=8, description="bits of a weight code, two's complement")]

    @property
    def data_format(self) -> FloatFormat:
        """Format of inputs, outputs, bias, U, V and z."""
        return FLOAT_FORMATS[self.data]

    @property
    def sum_format(self) -> FloatFormat:
        """Format of the sums across coarse groups and of the low-rank sums."""
        return FP32


class Rmc(Section):
    """Residual matrix core: an output-stationary array of processing elements."""

    rows: Annotated[int, Field(ge=1, le=256, description="outputs (N) of a tile")]
    cols: Annotated[int, Field(ge=1, le=256, description="tokens (T) of a tile")]
    lanes: Annotated[int, Field(ge=1, le=256, description="products per PE and cycle; divides groups.fine")]
    activation_passes: Annotated[
        int, Field(ge=1, le=2, description="2: layers with activation codes of twice the bits run too")
    ]
    weight_passes: Annotated[
        int, Field(ge=1, le=2, description="2: layers with weight codes of twice the bits run too")
    ]


class Lvc(Section):
    """Low-rank vector core; it also adds residual, low-rank sum and bias."""

    lanes: Annotated[int, Field(ge=1, le=65536, description="FP lanes of L = U z: a multiple of rmc.rows")]
    ranks: Annotated[
        int,
        Field(ge=1, le=1024, description="ranks side by side in z = V x': FP lanes for each token of a tile"),
    ]
    tokens: Annotated[
        int,
        Field(ge=0, le=256, description="tokens side by side in z = V x'; divides rmc.cols; 0: all of them"),
    ] = 0
    max_rank: Annotated[int, Field(ge=1, le=1024, description="largest rank that z has room for")]
    queue: Annotated[
        int, Field(ge=1, le=1024, description="tiles of residual sums that wait for the low-rank path")
    ]
    output_tokens: Annotated[int, Field(ge=1, le=256, description="tokens whose outputs leave in a cycle")]
    int8_ranks: Annotated[
        int,
        Field(ge=0, le=512, description="largest number of ranks in codes of two digits; 0: no such class"),
    ]
    int4_ranks: Annotated[
        int,
        Field(ge=0, le=512, description="largest number of ranks in codes of one digit; 0: no such class"),
    ]
    int_ranks: Annotated[
        int, Field(ge=1, le=256, description="ranks of an integer class side by side in z = V x'")
    ]
    int_tokens: Annotated[
        int,
        Field(
            ge=1, le=256, description="tokens side by side in L = U z of an integer class; divides rmc.cols"
        ),
    ]
    int_lanes: Annotated[
        int,
        Field(ge=1, le=256, description="products per output and cycle there; a multiple of lvc.int_ranks"),
    ]


class Pipeline(Section):
    """Registers inside units: clock rate against latency and area; they change no output bit."""

    dot: Annotated[int, Field(ge=0, le=1, description="registers inside a dot product of a PE")] = 0
    multiply: Annotated[int, Field(ge=0, le=4, description="registers inside a product of a lane")]
    scale: Annotated[int, Field(ge=0, le=4, description="registers inside a product with a scale")]
    add: Annotated[
        int,
        Field(
            ge=0,
            le=4,
            description="registers inside a sum; in running sums fewer than there are that take turns",
        ),
    ]
    convert: Annotated[int, Field(ge=0, le=2, description="registers inside a conversion")]
    quantize: Annotated[
        int,
        Field(
            ge=0,
            le=2,
            description="registers inside the activation quantizer's scale, step and code; with 2 there is one more"
            " behind the memory of activations",
        ),
    ]
    two_path: Annotated[
        bool, Field(description="sums without a register inside take the larger, faster adder")
    ]

    def turns(self, count: int) -> int:
        """Registers inside the adder of `count` running sums that take turns."""
        return min(self.add, count - 1)

    @property
    def operand_registers(self) -> int:
        """Registers before the lanes of a product, shared by all that read an operand."""
        return int(self.multiply > 0)

    @property
    def tag(self) -> str:
        """Part of the names of modules that depend on it; empty where it adds nothing."""
        if self == NO_PIPELINE:
            return ""
        return f"_p{self.multiply}{self.scale}{self.add}{self.convert}{'t' if self.two_path else ''}"


NO_PIPELINE = Pipeline(dot=0, multiply=0, scale=0, add=0, convert=0, quantize=0, two_path=False)
"""Every unit combinational, between the registers that all have."""


class RankClass(NamedTuple):
    """An integer class of the low-rank path that the hardware has.

    Members
    -------
    name : of its fields and streams
    digits : of the codes of V and U
    ranks : the most that a layer can have
    """

    name: str
    digits: int
    ranks: int


class Limits(Section):
    """The largest layer; sizes the counters."""

    inputs: Annotated[int, Field(ge=1, le=1 << 24, description="largest K")]
    outputs: Annotated[int, Field(ge=1, le=1 << 24, description="largest N")]
    tokens: Annotated[int, Field(ge=1, le=1 << 24, description="largest T")]


class Bus(Section):
    """AXI4 master of the processor, to DRAM."""

    data_bytes: Annotated[Literal[4, 8, 16, 32, 64, 128], Field(description="bytes of the data bus")]
    address_bits: Annotated[int, Field(ge=32, le=64, description="bits of a DRAM address")]
    burst: Annotated[
        Literal[1, 2, 4, 8, 16, 32, 64, 128, 256], Field(description="beats of a burst, at most")
    ]
    outstanding: Annotated[int, Field(ge=1, le=64, description="bursts of weights that are read ahead")]


class Memory(Section):
    """Memories of the processor."""

    iomem_kib: Annotated[int, Field(ge=1, le=65536, description="KiB of the activation memory (IOMEM)")]
    inputs: Annotated[
        int, Field(ge=1, le=16383, description="largest K of a program's layers; at most limits.inputs")
    ]
    weights_kib: Annotated[
        int, Field(ge=1, le=65536, description="KiB of the buffer of residual weight codes")
    ]
    output_tiles: Annotated[
        int, Field(ge=1, le=256, description="row tiles that leave together; two such buffers")
    ]


class Config(Section):
    """One accelerator.

    Raises
    ------
    ConfigError : through `load`, `parse` and `preset`; one line naming the field, its value and the rule.
    """

    numbers: Numbers
    groups: Annotated[Groups, Field(discriminator="scheme")]
    rmc: Rmc
    lvc: Lvc
    limits: Limits
    pipeline: Pipeline = NO_PIPELINE
    bus: Bus = Bus(data_bytes=16, address_bits=40, burst=64, outstanding=8)
    memory: Memory = Memory(iomem_kib=64, inputs=2048, weights_kib=32, output_tiles=8)

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
        """Tokens that the vector core expands in one cycle."""
        return min(self.lvc.lanes // self.rmc.rows, self.rmc.cols)

    @property
    def project_tokens(self) -> int:
        """Tokens that the vector core projects in one cycle."""
        return self.lvc.tokens or self.rmc.cols

    @property
    def lvc_tiles(self) -> int:
        """Row tiles that the vector core expands at once: more than one when there are more lanes than a tile needs."""
        return max(self.lvc.lanes // (self.rmc.rows * self.rmc.cols), 1)

    @property
    def dot_bits(self) -> int:
        """Bits of the dot product of one beat, two's complement."""
        return _signed_bits(self.rmc.lanes * self._largest_product)

    @property
    def passes(self) -> int:
        """The most passes that a coarse group can take: 1, 2 or 4."""
        return self.rmc.activation_passes * self.rmc.weight_passes

    @property
    def accumulates(self) -> bool:
        """Whether a PE adds up several beats; when not, its dot product is the whole group's."""
        return self.beats * self.passes > 1

    @property
    def accumulator_bits(self) -> int:
        """Bits of a PE's accumulator, two's complement: it cannot overflow in a coarse group."""
        numbers, rmc = self.numbers, self.rmc
        activation = largest_code(numbers.activation_bits, rmc.activation_passes)
        weight = largest_code(numbers.weight_bits, rmc.weight_passes)
        return _signed_bits(self.groups.coarse * activation * weight * self.groups.largest_factor)

    @property
    def rank_classes(self) -> tuple[RankClass, ...]:
        """The integer classes of the low-rank path, in the order in which their sums are added."""
        both = RankClass("int8", 2, self.lvc.int8_ranks), RankClass("int4", 1, self.lvc.int4_ranks)
        return tuple(each for each in both if each.ranks)

    @property
    def projection(self) -> Config:
        """The configuration of the array that makes z of the integer classes: its rows are ranks, x' is wide.

        Only with such classes.
        """
        digits = max(each.digits for each in self.rank_classes)
        return self.model_copy(
            update={
                "rmc": self.rmc.model_copy(
                    update={"rows": self.lvc.int_ranks, "activation_passes": 2, "weight_passes": digits}
                ),
                "lvc": self.lvc.model_copy(
                    update={"lanes": self.lvc.int_ranks, "output_tokens": 1, "int8_ranks": 0, "int4_ranks": 0}
                ),
                "limits": Limits(
                    inputs=self.limits.inputs, outputs=max(each.ranks for each in self.rank_classes), tokens=1
                ),
            }
        )

    def class_steps(self, digits: int, ranks: int) -> int:
        """Steps of L = U z of an integer class for a block of tokens: blocks of ranks times pairs of digits."""
        return -(-ranks // self.lvc.int_lanes) * 2 * digits

    @property
    def class_share(self) -> int:
        """Outputs of `int_tokens` that one class-scale unit serves: no more than the shortest of the full classes has
        steps, and so few that a whole beat of outputs leaves the units at once.
        """
        least = min(self.class_steps(each.digits, each.ranks) for each in self.rank_classes)
        tokens, beat = self.lvc.int_tokens, self.lvc.output_tokens
        return max(s for s in range(1, tokens + 1) if tokens % (s * beat) == 0 and s <= least)

    @property
    def class_sum_bits(self) -> int:
        """Bits of the integer sums of L = U z over the ranks of a class, two's complement: they cannot overflow."""
        numbers = self.numbers
        largest = max(
            -(-each.ranks // self.lvc.int_lanes)
            * self.lvc.int_lanes
            * largest_code(numbers.weight_bits, each.digits)
            for each in self.rank_classes
        )
        return _signed_bits(largest * largest_code(numbers.activation_bits, 2))

    @property
    def _smallest(self) -> str:
        """The field with the size of the smallest group."""
        return "fine" if "fine" in type(self.groups).model_fields else "coarse"

    @property
    def _largest(self) -> str:
        """The field with the size of the largest group."""
        return "coarse" if "coarse" in type(self.groups).model_fields else "fine"

    @property
    def _largest_product(self) -> int:
        return largest_code(self.numbers.activation_bits) * largest_code(self.numbers.weight_bits)

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

    def with_scheme(self, scheme: str) -> Config:
        """A copy with another scale scheme: it keeps the fields that both have, the others take `DEFAULTS`."""
        if scheme not in SCHEMES:
            raise ConfigError(f"groups.scheme={_shown(scheme)} must be one of {', '.join(SCHEMES)}")
        known = DEFAULTS | self.groups.model_dump() | {"scheme": scheme}
        fields = {name: known[name] for name in SCHEMES[scheme].model_fields}
        return Config.parse(self.model_dump() | {"groups": fields})

    @property
    def operand_inputs(self) -> int:
        """Largest K of a program's layers: what the processor's operand memories hold."""
        return min(self.memory.inputs, self.limits.inputs)

    @property
    def operand_groups(self) -> int:
        """Coarse groups of the largest K of a program."""
        return -(-self.operand_inputs // self.groups.coarse)

    @property
    def iomem_rows(self) -> int:
        """Rows of IOMEM: a row is `lanes` numbers of each of `cols` tokens."""
        row_bits = self.rmc.cols * self.rmc.lanes * self.numbers.data_format.width
        return self.memory.iomem_kib * 8192 // row_bits

    @property
    def fingerprint(self) -> int:
        """32 bits of a SHA-256 of all fields: register CONFIGURATION, by which a host knows what it talks to."""
        text = json.dumps(self.model_dump(), sort_keys=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")

    def toml(self) -> str:
        """All fields as a file that `load` takes."""
        return "\n".join(
            f"[{section}]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())
            for section, fields in self.model_dump().items()
        )

    def replace(self, **changes: Any) -> Config:
        """A copy with changes such as ``rmc__rows=2``, validated again; ``groups__scheme`` is `with_scheme`."""
        if (scheme := changes.pop("groups__scheme", None)) is not None:
            return self.with_scheme(scheme).replace(**changes)
        values = self.model_dump()
        for name, value in changes.items():
            section, _, field = name.partition("__")
            if section not in values or not field:
                raise ConfigError(f"{name}={_shown(value)} must be named section__field, as rmc__rows is")
            values[section][field] = value
        return Config.parse(values)

    def check_layer(
        self, tokens: int, inputs: int, outputs: int, rank: int, int8_rank: int = 0, int4_rank: int = 0
    ) -> None:
        """Refuse a layer that the counters or the z buffers cannot hold. Accumulators hold any layer.

        `rank` is that of the floating-point class.

        Raises
        ------
        ConfigError : naming the size, the limit and the field that raises it.
        """
        for name, size, field, limit in (
            ("tokens T", tokens, "limits.tokens", self.limits.tokens),
            ("inputs K", inputs, "limits.inputs", self.limits.inputs),
            ("outputs N", outputs, "limits.outputs", self.limits.outputs),
            ("rank", rank, "lvc.max_rank", self.lvc.max_rank),
            ("INT8 rank", int8_rank, "lvc.int8_ranks", self.lvc.int8_ranks),
            ("INT4 rank", int4_rank, "lvc.int4_ranks", self.lvc.int4_ranks),
        ):
            if size > limit:
                raise ConfigError(
                    f"{name}={size} must be at most {field}={limit}; a configuration can raise it"
                )

    def check_processor(self) -> None:
        """Refuse what a core runs on but a processor, which has memories and a bus, does not.

        Raises
        ------
        ConfigError : naming field, value and rule.
        """
        for holds, message in self._memory_rules():
            if not holds:
                raise ConfigError(message)

    def _memory_rules(self) -> Iterator[tuple[bool, str]]:
        """What the processor's memories need."""
        bus, memory = self.bus.data_bytes, self.memory
        word, beat = self.rmc.lanes * self.numbers.data_format.width // 8, self.rmc.rows * 2
        yield (
            max(word, bus) % min(word, bus) == 0,
            f"rmc.lanes={self.rmc.lanes} must make {word} bytes of numbers a multiple or a divisor of "
            f"bus.data_bytes={bus}",
        )
        yield (
            max(beat, bus) % min(beat, bus) == 0,
            f"rmc.rows={self.rmc.rows} must make {beat} bytes of outputs a multiple or a divisor of "
            f"bus.data_bytes={bus}",
        )
        yield (
            memory.output_tiles * beat % bus == 0,
            f"memory.output_tiles={memory.output_tiles} must make {memory.output_tiles * beat} bytes of a token's "
            f"outputs a multiple of bus.data_bytes={bus}",
        )
        yield (
            1 <= self.iomem_rows < 1 << 16,
            f"memory.iomem_kib={memory.iomem_kib} must hold {word * self.rmc.cols} bytes, a row of rmc.cols tokens by "
            f"rmc.lanes numbers, and at most 65535 of them",
        )

    def _broken_rules(self) -> list[str]:
        rules = [
            (
                self.groups.coarse % self.groups.fine == 0,
                f"groups.coarse={self.groups.coarse} must be a multiple of groups.fine={self.groups.fine}",
            ),
            (
                self.groups.fine % self.rmc.lanes == 0,
                f"rmc.lanes={self.rmc.lanes} must divide groups.{self._smallest}={self.groups.fine}",
            ),
            (
                self.lvc.lanes % self.rmc.rows == 0,
                f"lvc.lanes={self.lvc.lanes} must be a multiple of rmc.rows={self.rmc.rows}",
            ),
            (
                self.lvc.lanes % self.rmc.rows
                or (
                    self.rmc.rows * self.lvc_tokens * self.lvc_tiles == self.lvc.lanes
                    and self.rmc.cols % self.lvc_tokens == 0
                ),
                f"lvc.lanes={self.lvc.lanes} must be rmc.rows={self.rmc.rows} times a divisor or a multiple of "
                f"rmc.cols={self.rmc.cols}",
            ),
            (
                self.lvc_tokens % self.lvc.output_tokens == 0,
                f"lvc.output_tokens={self.lvc.output_tokens} must divide {self.lvc_tokens}, the tokens that "
                f"lvc.lanes={self.lvc.lanes} expand in a cycle",
            ),
            (
                self.rmc.cols % self.project_tokens == 0,
                f"lvc.tokens={self.lvc.tokens} must divide rmc.cols={self.rmc.cols}",
            ),
            *(
                (
                    passes == 1 or bits <= 4,
                    f"rmc.{name}_passes={passes} must be 1 with numbers.{name}_bits={bits}; "
                    "two passes make codes of twice the bits, and 8 are the most",
                )
                for name, passes, bits in (
                    ("activation", self.rmc.activation_passes, self.numbers.activation_bits),
                    ("weight", self.rmc.weight_passes, self.numbers.weight_bits),
                )
            ),
            (
                self.passes < 4 or self.numbers.activation_bits == self.numbers.weight_bits,
                f"numbers.activation_bits={self.numbers.activation_bits} must equal numbers.weight_bits="
                f"{self.numbers.weight_bits} where both rmc.activation_passes and rmc.weight_passes are 2",
            ),
            (
                self.accumulator_bits <= 48,
                f"groups.{self._largest}={self.groups.coarse} needs an accumulator of {self.accumulator_bits} bits; "
                "it must need at most 48 (fewer code bits, passes, shift or integer scale bits help)",
            ),
            *self._class_rules(),
        ]
        return [message for holds, message in rules if not holds]

    def _class_rules(self) -> Iterator[tuple[bool, str]]:
        """What the integer classes need, where there are any."""
        if not self.rank_classes:
            return
        lvc, numbers = self.lvc, self.numbers
        name = "lvc.int8_ranks" if lvc.int8_ranks else "lvc.int4_ranks"
        yield (
            numbers.activation_bits <= 4,
            f"{name}={self.rank_classes[0].ranks} must be 0 with numbers.activation_bits={numbers.activation_bits}; "
            "integer classes read activation codes of twice the bits, and 8 are the most",
        )
        yield (
            not lvc.int8_ranks or numbers.weight_bits == numbers.activation_bits,
            f"lvc.int8_ranks={lvc.int8_ranks} must be 0 with numbers.weight_bits={numbers.weight_bits}, which is not "
            f"numbers.activation_bits={numbers.activation_bits}: both have two digits",
        )
        yield (
            self.rmc.cols % lvc.int_tokens == 0,
            f"lvc.int_tokens={lvc.int_tokens} must divide rmc.cols={self.rmc.cols}",
        )
        yield (
            lvc.int_tokens % lvc.output_tokens == 0,
            f"lvc.int_tokens={lvc.int_tokens} must be a multiple of lvc.output_tokens={lvc.output_tokens}",
        )
        yield (
            lvc.int_lanes % lvc.int_ranks == 0,
            f"lvc.int_lanes={lvc.int_lanes} must be a multiple of lvc.int_ranks={lvc.int_ranks}",
        )
        yield (
            self.projection.accumulator_bits <= 48,
            f"{name}={self.rank_classes[0].ranks} needs accumulators of {self.projection.accumulator_bits} bits; they "
            "must need at most 48 (fewer code bits, shift or integer scale bits help)",
        )


def largest_code(bits: int, digits: int = 1) -> int:
    """The largest magnitude of a code of `digits` two's complement digits of `bits` bits, the highest first.

    A code of two digits is ``2^bits * high + low`` with both in -2^(bits-1)..2^(bits-1)-1 (balanced digits), so that
    multipliers of single digits take it in passes.
    """
    return sum(1 << (bits - 1 + bits * digit) for digit in range(digits))


def _signed_bits(magnitude: int) -> int:
    """Bits of a two's complement number that holds every value from -magnitude to magnitude."""
    return magnitude.bit_length() + 1


_MISSING = "is missing; every field must be given (start from a preset: sevedo presets)"


def _explain(error: ValidationError) -> str:
    """The first problem of a pydantic report in our form: field, value, rule."""
    problem = error.errors(include_url=False)[0]
    place = [str(part) for part in problem["loc"]]
    scheme = (
        place.pop(1) if place[:1] == ["groups"] and len(place) > 1 else None
    )  # the section's kind, not a field
    field = ".".join(place) or "configuration"
    shown = f"{field}={_shown(problem['input'])}"
    match problem["type"]:
        case "union_tag_not_found" if isinstance(problem["input"], dict):
            return f"groups.scheme {_MISSING}"
        case "union_tag_not_found" | "model_attributes_type":
            return f"{shown} must be a section with fields"
        case "union_tag_invalid":
            return f"groups.scheme={_shown(problem['input']['scheme'])} must be one of {', '.join(SCHEMES)}"
        case "missing":
            return f"{field} {_MISSING}"
        case "extra_forbidden":
            return f"{shown} is not a field{_of_scheme(scheme)}; it must be one of {', '.join(_fields(place, scheme))}"
        case "model_type":
            return f"{shown} must be a section with fields"
    return f"{shown} {problem['msg'].replace('Input should be', 'must be')}"


def _of_scheme(scheme: str | None) -> str:
    return f" of scheme {scheme}" if scheme else ""


def _fields(place: list[str], scheme: str | None) -> Iterable[str]:
    """The names that could stand at `place`."""
    if len(place) == 1:
        return Config.model_fields
    section: Any = SCHEMES[scheme] if scheme else Config.model_fields[place[0]].annotation
    return section.model_fields


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
