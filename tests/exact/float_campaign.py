"""The long exactness runs of the floating-point units: compiled gates against exact oracles, every case counted.

    python tests/exact/float_campaign.py [--only TEXT] [--scale 0.01] [--fresh]

Jobs
----
* one operand, up to 16 bits: all encodings, in every rounding direction;
* two operands of 8 bits: all pairs; of 16 bits: all pairs of 2,000 special values and 10 million more, half of them
  made to be hard (`sevedo.sim.operands`: ties of products, cancellation, borders of subnormals and of overflow);
* three operands of 16 bits: all pairs of 2,000 special factors, each with a special addend; all triples of 160 special
  values; 10 million more, half of them made to be hard;
* FP32: 2 million cases an operation against Berkeley SoftFloat, and 10 million against the float64 oracle.

Oracles: `sevedo.sim.oracle`, which `tests/hw/float/test_float_oracle.py` holds to the definition in rationals, to NumPy
and to SoftFloat. For FP16 to nearest, float64 arithmetic and one NumPy cast is another exact one, and is compared too.

Finished blocks are kept in ``build/exact/float.json`` with a hash of the Verilog they were run on, so that an
interrupted run goes on where it was, and a changed unit starts again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import softfloatpy
from numpy.typing import NDArray

from sevedo.gen.config.formats import BF16, E4M3, E5M2, E8M0, FP16, FP32, FloatFormat, Rounding
from sevedo.gen.verilog.emitter import emit, verilog
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
from sevedo.sim import exact, operands, oracle
from sevedo.sim.exact import Together

BLOCK = 500_000
MILLION = 1_000_000
STATE = Path(__file__).resolve().parents[2] / "build" / "exact" / "float.json"

Vectors = dict[str, NDArray]


@dataclass(frozen=True)
class Job:
    """A unit, the operands to run it on in blocks, and its oracle (by default `exact.expected`)."""

    name: str
    unit: Unit
    blocks: int
    block: Callable[[int], Vectors]
    outputs: Callable[[Vectors], Vectors] | None = None

    def mismatches(self, index: int) -> tuple[int, int, str]:
        """Cases and mismatches of one block, and the first mismatch in words."""
        inputs = self.block(index)
        cases = len(inputs["a"]) * (len(self.unit.units) if isinstance(self.unit, Together) else 1)
        wanted = exact.expected(self.unit, inputs)
        if self.outputs is not None:
            second = self.outputs(inputs)
            apart = np.flatnonzero(wanted["result"] != second["result"])
            if len(apart):
                return cases, len(apart), f"{self.name}: the oracles differ at {_row(inputs, apart[0])}"
        wrong = exact.mismatches(self.unit, inputs, wanted)
        return cases, len(wrong), exact.describe(self.unit, inputs, int(wrong[0])) if len(wrong) else ""


# -- operands -------------------------------------------------------------------------------------------------------


def _all(format: FloatFormat, _: int) -> Vectors:
    return {"a": operands.everything(format)}


def _all_integers(_: int) -> Vectors:
    return {"a": np.arange(-(1 << 15), 1 << 15)}


def _all_pairs(format: FloatFormat, _: int) -> Vectors:
    return dict(zip("ab", operands.pairs(operands.everything(format)), strict=True))


def _random_fp32(index: int) -> Vectors:
    return {"a": np.concatenate([operands.special(FP32), operands.uniform(FP32, BLOCK, _generator(index))])}


def _row(inputs: Vectors, row: int) -> str:
    return " ".join(f"{name}={int(values[row]):#x}" for name, values in inputs.items())


def _generator(index: int) -> np.random.Generator:
    return np.random.default_rng([2026, index])


def _hard(unit: Unit, formats: dict[str, FloatFormat], count: int, generator: np.random.Generator) -> Vectors:
    if isinstance(unit, Together):
        unit = unit.units[0]
    if isinstance(unit, Multiply):
        values = operands.hard_products(
            formats["a"], formats["b"], unit.parameters["result_format"], count, generator
        )
        return dict(zip("ab", values, strict=True))
    if len(formats) == 3:
        return dict(
            zip("abc", operands.hard_triples(formats["a"], formats["c"], count, generator), strict=True)
        )
    return dict(zip("ab", operands.hard_sums(formats["a"], count, generator), strict=True))


def _mixture(unit: Unit, formats: dict[str, FloatFormat], first: int, index: int) -> Vectors:
    """Half at random, half hard; blocks of different `first` differ."""
    generator, count = _generator(first + index), BLOCK
    hard = _hard(unit, formats, count // 2, generator)
    return {
        name: np.concatenate([hard[name], operands.uniform(format, count - count // 2, generator)])
        for name, format in formats.items()
    }


def _special(formats: dict[str, FloatFormat], index: int) -> Vectors:
    """Block `index` of all pairs of special values; the third operand, if any, is another special one."""
    a, b = operands.special(formats["a"]), operands.special(formats["b"])
    place = np.arange(index * BLOCK, min((index + 1) * BLOCK, len(a) * len(b)))
    inputs = {"a": a[place // len(b)], "b": b[place % len(b)]}
    if "c" in formats:
        inputs["c"] = _generator(index).choice(operands.special(formats["c"]), len(place))
    return inputs


def _triples(formats: dict[str, FloatFormat], size: int, index: int) -> Vectors:
    values = [operands.special(format, size, seed=1) for format in formats.values()]
    place = np.arange(index * BLOCK, min((index + 1) * BLOCK, size**3))
    return {
        "a": values[0][place // size**2],
        "b": values[1][place // size % size],
        "c": values[2][place % size],
    }


# -- oracles of others ----------------------------------------------------------------------------------------------


def numpy_fp16(unit: Unit) -> Callable[[Vectors], Vectors]:
    """Float64 arithmetic and one cast: exact for FP16 sums, products and fused sums, to nearest even."""

    def outputs(inputs: Vectors) -> Vectors:
        a, b, *c = (
            values.astype(np.uint16).view(np.float16).astype(np.float64) for values in inputs.values()
        )
        with np.errstate(all="ignore"):
            value = a + b if isinstance(unit, Add) else a * b
            half = (value + c[0] if c else value).astype(np.float16)
        return {"result": np.where(np.isnan(half), FP16.nan, half.view(np.uint16)).astype(np.uint64)}

    return outputs


_MODES = {
    Rounding.NEAREST_EVEN: softfloatpy.RoundingMode.NEAR_EVEN,
    Rounding.NEAREST_AWAY: softfloatpy.RoundingMode.NEAR_MAX_MAG,
    Rounding.TOWARD_ZERO: softfloatpy.RoundingMode.MIN_MAG,
    Rounding.TOWARD_POSITIVE: softfloatpy.RoundingMode.MAX,
    Rounding.TOWARD_NEGATIVE: softfloatpy.RoundingMode.MIN,
}


def softfloat(unit: Unit) -> Callable[[Vectors], Vectors]:
    """Berkeley SoftFloat 3e, one call a case; its NaNs are made canonical."""
    operation = {Add: "add", Multiply: "mul", FusedMultiplyAdd: "mul_add"}[type(unit)]
    width = next(iter(exact.source_formats(unit).values())).width
    format = {16: FP16, 32: FP32}[width]
    kind: Any = {16: softfloatpy.Float16, 32: softfloatpy.Float32}[width]
    call = getattr(softfloatpy, f"f{width}_{operation}")

    def outputs(inputs: Vectors) -> Vectors:
        softfloatpy.set_rounding_mode(_MODES[unit.parameters["rounding"]])
        size = width // 8
        columns = []
        for values in inputs.values():
            raw = values.astype(f">u{size}").tobytes()
            columns.append([kind.from_bytes(raw[i : i + size]) for i in range(0, len(raw), size)])
        raw = b"".join(result.to_bytes() for result in map(call, *columns))
        softfloatpy.set_rounding_mode(_MODES[Rounding.NEAREST_EVEN])
        results = np.frombuffer(raw, f">u{size}").astype(np.uint64)
        return {"result": np.where(np.isnan(oracle.decode(format, results)), np.uint64(format.nan), results)}

    return outputs


# -- jobs -----------------------------------------------------------------------------------------------------------


DIRECTED = [rounding for rounding in Rounding if rounding is not Rounding.NEAREST_EVEN]


def _unary() -> Iterator[Job]:
    for source in (FP16, BF16, E5M2, E4M3, E8M0):
        units: list[Unit] = []
        for rounding in Rounding:
            targets = (FP32, FP16, BF16, E5M2, E4M3, E8M0)
            units += [Convert(source, target, rounding) for target in targets if target is not source]
            units += [FloatToInteger(source, bits, rounding) for bits in (4, 8)]
        unit = Together(f"unary_{source.name}", tuple(units))
        yield Job(
            f"{len(units)} conversions of {source.name}, all",
            unit,
            1,
            partial(_all, source),
        )
    integers = tuple(
        IntegerToFloat(16, True, target, rounding, exponent)
        for rounding in Rounding
        for target, exponent in ((FP16, 0), (FP16, -30), (FP32, -6), (E4M3, -8), (BF16, 0))
    )
    yield Job(
        f"{len(integers)} conversions of int16, all",
        Together("unary_int16", integers),
        1,
        _all_integers,
    )


def _binary(scale: float) -> Iterator[Job]:
    for small in (E5M2, E4M3):
        eight = (
            *(Add(small, r) for r in Rounding),
            *(Multiply(small, small, small, r) for r in Rounding),
            Multiply(small, small, FP16),
            Compare(small),
            Maximum(small),
        )
        yield Job(
            f"{len(eight)} operations on {small.name}, all pairs",
            Together(f"binary_{small.name}", eight),
            1,
            partial(_all_pairs, small),
        )
    units: list[Unit] = [
        Add(FP16),
        Multiply(FP16, FP16, FP16),
        Multiply(FP16, FP16, FP32),
        Compare(FP16),
        Maximum(FP16),
        Add(BF16),
        Multiply(BF16, BF16, BF16),
        Multiply(BF16, BF16, FP32),
        Multiply(E8M0, E8M0, FP32),
        Together("directed_fp16", tuple(Add(FP16, r) for r in DIRECTED)),
        Together("directed_products_fp16", tuple(Multiply(FP16, FP16, FP16, r) for r in DIRECTED)),
    ]
    for unit in units:
        formats = exact.source_formats(unit)
        second = numpy_fp16(unit) if unit in units[:2] else None
        count = -(-(len(operands.special(formats["a"])) ** 2) // BLOCK)
        yield Job(f"{unit.module_name}, special pairs", unit, count, partial(_special, formats), second)
        yield Job(
            f"{unit.module_name}, random and hard",
            unit,
            max(1, int(10 * MILLION // BLOCK * scale)),
            partial(_mixture, unit, formats, 0),
            second,
        )


def _ternary(scale: float) -> Iterator[Job]:
    nearest: list[Unit] = [
        FusedMultiplyAdd(FP16),
        FusedMultiplyAdd(FP32, operand_format=FP16),
        FusedMultiplyAdd(BF16),
        FusedMultiplyAdd(E5M2),
        FusedMultiplyAdd(E4M3),
        FusedMultiplyAdd(FP16, stages=3),
    ]
    directed = Together("directed_fused_fp16", tuple(FusedMultiplyAdd(FP16, r) for r in DIRECTED))
    for unit in [*nearest, directed]:
        formats = exact.source_formats(unit)
        second = numpy_fp16(unit) if unit in (nearest[0], nearest[5]) else None
        count = -(-(len(operands.special(formats["a"])) ** 2) // BLOCK)
        yield Job(f"{unit.module_name}, special pairs", unit, count, partial(_special, formats), second)
        yield Job(
            f"{unit.module_name}, special triples",
            unit,
            -(-(160**3) // BLOCK),
            partial(_triples, formats, 160),
            second,
        )
        yield Job(
            f"{unit.module_name}, random and hard",
            unit,
            max(1, int(10 * MILLION // BLOCK * scale)),
            partial(_mixture, unit, formats, 0),
            second,
        )


def _softfloat(scale: float) -> Iterator[Job]:
    for format, millions in ((FP32, 2), (FP16, 0.5)):
        for rounding in Rounding:
            share = millions if rounding is Rounding.NEAREST_EVEN else millions / 4
            three = (
                Add(format, rounding),
                Multiply(format, format, format, rounding),
                FusedMultiplyAdd(format, rounding),
            )
            for unit in three:
                formats = exact.source_formats(unit)
                yield Job(
                    f"{unit.module_name}, SoftFloat",
                    unit,
                    max(1, int(share * MILLION // BLOCK * scale)),
                    partial(_mixture, unit, formats, 1000),
                    softfloat(unit),
                )


def _single(scale: float) -> Iterator[Job]:
    for unit in (
        Add(FP32),
        Multiply(FP32, FP32, FP32),
        FusedMultiplyAdd(FP32),
        Add(FP32, stages=2),
        Compare(FP32),
    ):
        formats = exact.source_formats(unit)
        yield Job(
            f"{unit.module_name}, random and hard",
            unit,
            max(1, int(10 * MILLION // BLOCK * scale)),
            partial(_mixture, unit, formats, 0),
        )
    for unit in (Convert(FP32, FP16), Convert(FP32, BF16), Convert(FP32, E4M3), FloatToInteger(FP32, 4)):
        yield Job(
            f"{unit.module_name}, random",
            unit,
            max(1, int(2 * MILLION // BLOCK * scale)),
            _random_fp32,
        )


def jobs(scale: float = 1.0) -> list[Job]:
    """All jobs; `scale` shortens the random ones."""
    return [*_unary(), *_binary(scale), *_ternary(scale), *_softfloat(scale), *_single(scale)]


# -- running --------------------------------------------------------------------------------------------------------


def run(job: Job, state: dict[str, dict], save: Callable[[], None]) -> tuple[int, int]:
    """All blocks of a job that are not done yet; cases and mismatches of all of them."""
    key = hashlib.sha256(verilog(emit(job.unit)).encode()).hexdigest()[:16]
    entry = state.get(job.name)
    if entry is None or entry["key"] != key or entry["done"] > job.blocks:
        entry = state[job.name] = {"key": key, "done": 0, "cases": 0, "mismatches": 0, "first": ""}
    while entry["done"] < job.blocks:
        cases, wrong, first = job.mismatches(entry["done"])
        entry.update(
            done=entry["done"] + 1,
            cases=entry["cases"] + cases,
            mismatches=entry["mismatches"] + wrong,
            first=entry["first"] or first,
        )
        save()
    return entry["cases"], entry["mismatches"]


def main() -> int:
    """Run, print every job's counts and the total; 1 when anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="jobs whose name contains this text")
    parser.add_argument("--scale", type=float, default=1.0, help="part of the random cases")
    parser.add_argument("--fresh", action="store_true", help="forget what is done")
    arguments = parser.parse_args()
    state = {} if arguments.fresh or not STATE.exists() else json.loads(STATE.read_text())
    STATE.parent.mkdir(parents=True, exist_ok=True)

    def save() -> None:
        STATE.with_suffix(".new").write_text(json.dumps(state, indent=1))
        STATE.with_suffix(".new").replace(STATE)

    chosen = [job for job in jobs(arguments.scale) if arguments.only in job.name]
    total = wrong = 0
    for number, job in enumerate(chosen, 1):
        start = time.monotonic()
        cases, mismatches = run(job, state, save)
        total, wrong = total + cases, wrong + mismatches
        print(
            f"[{number}/{len(chosen)}] {job.name}: {cases:,} cases, {mismatches} mismatches, "
            f"{time.monotonic() - start:.1f} s {state[job.name]['first']}",
            flush=True,
        )
    print(f"{total:,} cases, {wrong} mismatches")
    return 1 if wrong or not total else 0


if __name__ == "__main__":
    sys.exit(main())
