"""What the floating-point units of `sevedo.hw.float` must answer, and where they do not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from amaranth.hdl import Module, Value
from amaranth.lib.wiring import Member, Out
from numpy.typing import NDArray

from sevedo.gen.config.formats import FloatFormat, Rounding
from sevedo.hw.float import (
    Add,
    Compare,
    Convert,
    FloatToInteger,
    FusedMultiplyAdd,
    IntegerToFloat,
    Maximum,
    Multiply,
    TwoPathAdd,
)
from sevedo.hw.unit import Unit
from sevedo.sim import oracle
from sevedo.sim.vectors import evaluate

Vectors = Mapping[str, NDArray]


class Together(Unit):
    """Units that share their operands, so that one compiled program answers for all of them.

    Timing: `latency` cycles, that of every unit.

    Parameters
    ----------
    name : of the module
    units : at least one; inputs of one name must have one shape, and all units one latency

    Members
    -------
    every input of any unit; every output ``x`` of unit number i as ``x_i``

    Raises
    ------
    ValueError : no unit, or units of different latency.
    """

    def __init__(self, name: str, units: tuple[Unit, ...]) -> None:
        if len({getattr(unit, "latency", 0) for unit in units}) != 1:
            raise ValueError(
                f"units={[u.module_name for u in units]} must be at least one, and have one latency"
            )
        self._name, self.units = name, units
        members: dict[str, Member] = {}
        for i, unit in enumerate(units):
            for port, member in unit.signature.members.items():
                members[f"{port}_{i}" if member.flow is Out else port] = member
        super().__init__(members)

    @property
    def module_name(self) -> str:
        return self._name

    @property
    def latency(self) -> int:
        """Cycles from operands to results."""
        return getattr(self.units[0], "latency", 0)

    def build(self) -> Module:
        m = Module()
        for i, unit in enumerate(self.units):
            m.submodules[f"unit_{i}"] = unit
            for port, member in unit.signature.members.items():
                inner = Value.cast(getattr(unit, port))
                if member.flow is Out:
                    m.d.comb += Value.cast(getattr(self, f"{port}_{i}")).eq(inner)
                else:
                    m.d.comb += inner.eq(getattr(self, port))
        return m


def expected(unit: Unit, inputs: Vectors) -> dict[str, NDArray]:
    """The outputs that `unit` must give, from its parameters alone."""
    if isinstance(unit, Together):
        return {
            f"{name}_{i}": values
            for i, one in enumerate(unit.units)
            for name, values in expected(one, inputs).items()
        }
    p = unit.parameters
    rounding = p.get("rounding", Rounding.NEAREST_EVEN)
    if isinstance(unit, Multiply):
        exact = oracle.multiply(
            oracle.decode(p["a_format"], inputs["a"]), oracle.decode(p["b_format"], inputs["b"])
        )
        return {"result": oracle.encode(p["result_format"], exact, rounding)}
    if isinstance(unit, Add | TwoPathAdd):
        format = p["a_format"]
        exact = oracle.add(oracle.decode(format, inputs["a"]), oracle.decode(format, inputs["b"]), rounding)
        return {"result": oracle.encode(format, exact, rounding)}
    if isinstance(unit, FusedMultiplyAdd):
        format, operand = p["format"], p["operand_format"] or p["format"]
        exact = oracle.fused_multiply_add(
            oracle.decode(operand, inputs["a"]),
            oracle.decode(operand, inputs["b"]),
            oracle.decode(format, inputs["c"]),
            rounding,
        )
        return {"result": oracle.encode(format, exact, rounding)}
    if isinstance(unit, Convert):
        return {"result": oracle.encode(p["target"], oracle.decode(p["source"], inputs["a"]), rounding)}
    if isinstance(unit, IntegerToFloat):
        exact = np.ldexp(inputs["a"].astype(np.float64), p["exponent"])
        return {"result": oracle.encode(p["target"], exact, rounding)}
    if isinstance(unit, FloatToInteger):
        return {
            "result": oracle.to_integer(oracle.decode(p["source"], inputs["a"]), p["code_bits"], rounding)
        }
    if isinstance(unit, Compare):
        a, b = (oracle.decode(p["format"], inputs[n]) for n in "ab")
        return {"less": a < b, "equal": a == b, "unordered": np.isnan(a) | np.isnan(b)}
    if isinstance(unit, Maximum):
        sizes = [np.abs(oracle.decode(p["format"], inputs[n])) for n in "ab"]
        return {"result": oracle.encode(p["format"], np.maximum(*sizes))}  # numpy's maximum keeps a NaN
    raise ValueError(f"unit={unit.module_name} has no oracle")


def source_formats(unit: Unit) -> dict[str, FloatFormat]:
    """The format of every floating-point operand of `unit`, by port."""
    if isinstance(unit, Together):
        return {port: format for one in unit.units for port, format in source_formats(one).items()}
    p = unit.parameters
    if isinstance(unit, Multiply):
        return {"a": p["a_format"], "b": p["b_format"]}
    if isinstance(unit, Add | TwoPathAdd):
        return {"a": p["a_format"], "b": p["a_format"]}
    if isinstance(unit, FusedMultiplyAdd):
        operand = p["operand_format"] or p["format"]
        return {"a": operand, "b": operand, "c": p["format"]}
    if isinstance(unit, Compare | Maximum):
        return {"a": p["format"], "b": p["format"]}
    return {"a": p["source"]} if isinstance(unit, Convert | FloatToInteger) else {}


def mismatches(unit: Unit, inputs: Vectors, outputs: Vectors | None = None) -> NDArray[np.intp]:
    """The rows in which `unit` differs from `outputs`, by default from what is `expected`."""
    actual = evaluate(unit, inputs)
    wanted = expected(unit, inputs) if outputs is None else outputs
    wrong = np.zeros(len(next(iter(inputs.values()))), bool)
    for name, values in actual.items():
        wrong |= values.astype(np.int64) != np.asarray(wanted[name]).astype(np.int64)
    return np.flatnonzero(wrong)


def describe(unit: Unit, inputs: Vectors, row: int) -> str:
    """One row in words, for a message about a mismatch."""
    single = {name: values[row : row + 1] for name, values in inputs.items()}
    parts = [f"{name}={int(v[0]):#x}" for name, v in single.items()]
    actual, wanted = evaluate(unit, single), expected(unit, single)
    parts += [
        f"{name}={int(v[0]):#x} instead of {int(wanted[name][0]):#x}"
        for name, v in actual.items()
        if int(v[0]) != int(wanted[name][0])
    ]
    return f"{unit.module_name}: " + " ".join(parts)
