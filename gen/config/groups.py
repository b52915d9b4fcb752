"""Scale schemes: which values share a scale, at one level or two. Each is a section of the configuration.

All schemes describe a value as ``code * fine * S``: S a floating-point number that `coarse` values share, `fine` an
exact small factor that `fine` values share. They differ in what the fine factor is, if there is one:

========  =============================================  ======================================================
scheme    fine level                                     source
========  =============================================  ======================================================
hgq       a right shift: 2^-k                            SeVeDo, arXiv 2512.12930
vs-quant  an unsigned integer                            VS-Quant, arXiv 2102.04503
coarse    none
fp-fine   none, S belongs to a fine group                the conventional design
mx        none, S = 2^e (E8M0) belongs to a fine group   OCP Microscaling Formats (MX) 1.0
========  =============================================  ======================================================
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from .formats import E8M0, FLOAT_FORMATS, FloatFormat


class Section(BaseModel):
    """A section of the configuration: frozen, strict, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FineLevel(Enum):
    """What a fine group's own number, of some bits, means for its codes: the exact definition."""

    NONE = "none"
    SHIFT = "shift"
    INTEGER = "integer"

    def largest(self, bits: int) -> int:
        """The largest number of `bits` bits, 0 without a fine level: K for shifts."""
        return 0 if self is FineLevel.NONE else (1 << bits) - 1

    def factor(self, number: int, bits: int) -> int:
        """The factor that a fine group's number stands for, in units of 2^-`places`."""
        match self:
            case FineLevel.SHIFT:
                return 1 << (self.largest(bits) - number)
            case FineLevel.INTEGER:
                return number
        return 1

    def largest_factor(self, bits: int) -> int:
        """The largest of all factors."""
        return max(self.factor(0, bits), self.factor(self.largest(bits), bits))

    def places(self, bits: int) -> int:
        """Binary places that the factors are counted in."""
        return self.largest(bits) if self is FineLevel.SHIFT else 0


SCALE = Field(description="format of the floating-point scale")


class _Scheme(Section):
    """What all schemes answer, whichever fields they have."""

    @property
    def level(self) -> FineLevel:
        """What the number of a fine group means."""
        return FineLevel.NONE

    @property
    def activation_fine_bits(self) -> int:
        """Bits of the number of an activation's fine group, 0 without one."""
        return 0

    @property
    def weight_fine_bits(self) -> int:
        """Bits of the number of a weight's fine group, 0 without one."""
        return 0

    @property
    def summary(self) -> str:
        """The fields in words."""
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.model_dump().items())

    @property
    def places(self) -> int:
        """Binary places of a sum over a coarse group: Kx + Kw of the contract."""
        return self.level.places(self.activation_fine_bits) + self.level.places(self.weight_fine_bits)

    @property
    def largest_factor(self) -> int:
        """The largest product of an activation's and a weight's fine factors, in units of 2^-places."""
        level = self.level
        return level.largest_factor(self.activation_fine_bits) * level.largest_factor(self.weight_fine_bits)

    @property
    def scale_format(self) -> FloatFormat:
        """Format of the floating-point scales."""
        return FLOAT_FORMATS[getattr(self, "scale", E8M0.name)]


class Hgq(_Scheme):
    """Hierarchical group quantization: a scale for a coarse group, a right shift for each of its fine groups."""

    scheme: Literal["hgq"]
    fine: Annotated[int, Field(ge=1, le=1024, description="values that share a shift")]
    coarse: Annotated[int, Field(ge=1, le=65536, description="values that share a scale; a multiple of fine")]
    activation_shift_bits: Annotated[int, Field(ge=0, le=4, description="bits of an activation's fine shift")]
    weight_shift_bits: Annotated[int, Field(ge=0, le=4, description="bits of a weight's fine shift")]
    scale: Annotated[Literal["fp16", "bf16", "e8m0"], SCALE]

    @property
    def level(self) -> FineLevel:
        """Shifts."""
        return FineLevel.SHIFT

    @property
    def activation_fine_bits(self) -> int:
        """Bits of an activation's shift."""
        return self.activation_shift_bits

    @property
    def weight_fine_bits(self) -> int:
        """Bits of a weight's shift."""
        return self.weight_shift_bits


class VsQuant(_Scheme):
    """Two-level scales: a floating-point scale for a coarse group, an unsigned integer for each of its fine groups."""

    scheme: Literal["vs-quant"]
    fine: Annotated[int, Field(ge=1, le=1024, description="values that share an integer scale")]
    coarse: Annotated[int, Field(ge=1, le=65536, description="values that share a scale; a multiple of fine")]
    activation_scale_bits: Annotated[
        int, Field(ge=1, le=8, description="bits of an activation's integer scale")
    ]
    weight_scale_bits: Annotated[int, Field(ge=1, le=8, description="bits of a weight's integer scale")]
    scale: Annotated[Literal["fp16", "bf16", "e8m0"], SCALE]

    @property
    def level(self) -> FineLevel:
        """Integers."""
        return FineLevel.INTEGER

    @property
    def activation_fine_bits(self) -> int:
        """Bits of an activation's integer scale."""
        return self.activation_scale_bits

    @property
    def weight_fine_bits(self) -> int:
        """Bits of a weight's integer scale."""
        return self.weight_scale_bits


class CoarseOnly(_Scheme):
    """A floating-point scale for a coarse group and nothing finer."""

    scheme: Literal["coarse"]
    coarse: Annotated[int, Field(ge=1, le=65536, description="values that share a scale")]
    scale: Annotated[Literal["fp16", "bf16", "e8m0"], SCALE]

    @property
    def fine(self) -> int:
        """The smallest group: the coarse one."""
        return self.coarse


class FpFine(_Scheme):
    """A floating-point scale for every fine group: the conventional design."""

    scheme: Literal["fp-fine"]
    fine: Annotated[int, Field(ge=1, le=1024, description="values that share a scale")]
    scale: Annotated[Literal["fp16", "bf16", "e8m0"], SCALE]

    @property
    def coarse(self) -> int:
        """Values that share a scale: those of a fine group."""
        return self.fine


class Mx(_Scheme):
    """A power of two (E8M0) for every fine group, as the microscaling formats have it."""

    scheme: Literal["mx"]
    fine: Annotated[int, Field(ge=1, le=1024, description="values that share a scale")]

    @property
    def coarse(self) -> int:
        """Values that share a scale: those of a fine group."""
        return self.fine


Groups = Hgq | VsQuant | CoarseOnly | FpFine | Mx
"""The section `groups`; its field `scheme` says which."""

SCHEMES: dict[str, type[_Scheme]] = {
    "hgq": Hgq,
    "vs-quant": VsQuant,
    "fp-fine": FpFine,
    "mx": Mx,
    "coarse": CoarseOnly,
}
"""The schemes by name."""

DEFAULTS: dict[str, object] = {
    "fine": 16,
    "coarse": 64,
    "activation_shift_bits": 2,
    "weight_shift_bits": 1,
    "activation_scale_bits": 4,
    "weight_scale_bits": 4,
    "scale": "fp16",
}
"""What `Config.with_scheme` gives a field that the configuration it starts from does not have."""
