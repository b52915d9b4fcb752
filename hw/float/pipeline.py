"""Names, parameter checks and pipeline registers that all floating-point units share."""

from __future__ import annotations

from amaranth.hdl import *

from sevedo.gen.config.formats import FloatFormat, Rounding


def held(m: Module, on: bool, *values: Value, enable: Value | None = None) -> tuple[Value, ...]:
    """`values` one cycle later when `on`, else as they are. The registers have no reset: they carry data alone.

    With `enable` they move in cycles with it.
    """
    if not on:
        return values
    names = [
        value.name if isinstance(value, Signal) else f"value_{place}" for place, value in enumerate(values)
    ]
    registers = [
        Signal(value.shape(), name=f"{name}_held", reset_less=True)
        for name, value in zip(names, values, strict=True)
    ]
    with m.If(1 if enable is None else enable):
        m.d.sync += [register.eq(value) for register, value in zip(registers, values, strict=True)]
    return tuple(registers)


def later(m: Module, name: str, value: Value, cycles: int, enable: Value | None = None) -> Value:
    """`value` of `cycles` cycles ago, or of so many with `enable`; data, without reset."""
    for age in range(1, cycles + 1):
        register = Signal(value.shape(), name=f"{name}_{age}", reset_less=True)
        with m.If(1 if enable is None else enable):
            m.d.sync += register.eq(value)
        value = register
    return value


def delayed(m: Module, name: str, value: Value, cycles: int) -> list[Signal]:
    """Registers holding a bit of control of one to `cycles` cycles ago; with reset."""
    delayed = []
    for age in range(1, cycles + 1):
        register = Signal(name=f"{name}_{age}")
        m.d.sync += register.eq(value)
        delayed.append(register)
        value = register
    return delayed


def float_name(
    operation: str,
    *formats: FloatFormat | str,
    rounding: Rounding = Rounding.NEAREST_EVEN,
    stages: int = 0,
    gated: bool = False,
) -> str:
    """The module name of an operation: ``float_<operation>_<formats>``, then whatever is not the default."""
    parts = ["float", operation, *(f if isinstance(f, str) else f.name for f in formats)]
    if rounding is not Rounding.NEAREST_EVEN:
        parts.append(rounding.value)
    if stages:
        parts.append(f"stages{stages}")
    if gated:
        parts.append("gated")
    return "_".join(parts).replace("-", "_")


def check_stages(stages: int, most: int) -> None:
    """Raise ValueError unless 0 <= `stages` <= `most`."""
    if not 0 <= stages <= most:
        raise ValueError(f"stages={stages} must be between 0 and {most}")


def check_signed(field: str, format: FloatFormat) -> None:
    """Raise ValueError unless sums can be encoded in `format`."""
    if not format.signed or not format.has_zero:
        raise ValueError(f"{field}={format.name} must be a signed format that has a zero")
