"""What the floating-point units of `sevedo.hw.float` must answer, and where they do not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
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
)
from sevedo.hw.unit import Unit
from sevedo.sim import oracle
from sevedo.sim.vectors import evaluate

Vectors = Mapping[str, NDArray]


def expected(unit: Unit, inputs: Vectors) -> dict[str, NDArray]:
    """The outputs that `unit` must give, from its parameters alone."""
    p = unit.parameters
    rounding = p.get("rounding", Rounding.NEAREST_EVEN)
    if isinstance(unit, Multiply):
        exact = oracle.multiply(oracle.decode(p["a_format"], inputs["a"]), oracle.decode(p["b_format"], inputs["b"]))
        return {"result": oracle.encode(p["result_format"], exact, rounding)}
    if isinstance(unit, Add):
        format = p["a_format"]
        exact = oracle.add(oracle.decode(format, inputs["a"]), oracle.decode(format, inputs["b"]), rounding)
        return {"result": oracle.encode(format, exact, rounding)}
    if isinstance(unit, FusedMultiplyAdd):
        format, operand = p["format"], p["operand_format"] or p["format"]
        exact = oracle.fused_multiply_add(oracle.decode(operand, inputs["a"]), oracle.decode(operand, inputs["b"]),
                                          oracle.decode(format, inputs["c"]), rounding)
        return {"result": oracle.encode(format, exact, rounding)}
    if isinstance(unit, Convert):
        return {"result": oracle.encode(p["target"], oracle.decode(p["source"], inputs["a"]), rounding)}
    if isinstance(unit, IntegerToFloat):
        exact = np.ldexp(inputs["a"].astype(np.float64), p["exponent"])
        return {"result": oracle.encode(p["target"], exact, rounding)}
    if isinstance(unit, FloatToInteger):
        return {"result": oracle.to_integer(oracle.decode(p["source"], inputs["a"]), p["code_bits"], rounding)}
    if isinstance(unit, Compare):
        a, b = (oracle.decode(p["format"], inputs[n]) for n in "ab")
        return {"less": a < b, "equal": a == b, "unordered": np.isnan(a) | np.isnan(b)}
    if isinstance(unit, Maximum):
        sizes = [np.abs(oracle.decode(p["format"], inputs[n])) for n in "ab"]
        return {"result": oracle.encode(p["format"], np.maximum(*sizes))}  # numpy's maximum keeps a NaN
    raise ValueError(f"unit={unit.module_name} has no oracle")


def source_formats(unit: Unit) -> dict[str, FloatFormat]:
    """The format of every floating-point operand of `unit`, by port."""
    p = unit.parameters
    if isinstance(unit, Multiply):
        return {"a": p["a_format"], "b": p["b_format"]}
    if isinstance(unit, Add):
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
    single = {name: values[row:row + 1] for name, values in inputs.items()}
    parts = [f"{name}={int(v[0]):#x}" for name, v in single.items()]
    actual, wanted = evaluate(unit, single), expected(unit, single)
    parts += [f"{name}={int(v[0]):#x} instead of {int(wanted[name][0]):#x}" for name, v in actual.items()]
    return f"{unit.module_name}: " + " ".join(parts)
