"""The arithmetic units whose area and delay `sevedo bench` prints, their marks, and results kept by content."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sevedo.gen.config import FP16, FP32, FineLevel, preset
from sevedo.gen.synth import expression, fulladder, kept, liberty, library
from sevedo.gen.synth import measure as flow
from sevedo.gen.synth.kept import Kept, tools
from sevedo.gen.synth.library import Library
from sevedo.gen.synth.measure import Measurement, SynthesisError, measure_verilog
from sevedo.gen.verilog.emitter import emit, verilog
from sevedo.hw.float import Add, Convert, FusedMultiplyAdd, IntegerToFloat, Multiply
from sevedo.hw.integer.dot import DotProduct
from sevedo.hw.lvc.lane import VectorLane
from sevedo.hw.rmc.csu import CoarseScaleUnit
from sevedo.hw.rmc.pe import ProcessingElement
from sevedo.hw.unit import Unit

TARGET_PS = 5000
"""Delay target that ABC maps for."""

MARKED = "sky130_fd_sc_hd"
"""The marks hold for libraries whose name begins like this."""


@dataclass(frozen=True)
class Mark:
    """What a unit must reach.

    Members
    -------
    area, delay : in um2 and ns, each at most; None where nothing is asked
    of, factor : the area is `factor` times that of the unit called `of`
    reference : what others have
    """

    area: float | None = None
    delay: float | None = None
    of: str | None = None
    factor: float = 1.0
    reference: str = ""

    def met(self, measurement: Measurement) -> bool | None:
        """Whether it is reached; None when a delay is asked for that was not measured."""
        if self.area is not None and measurement.area > self.area:
            return False
        if self.delay is None:
            return True
        return None if measurement.delay is None else measurement.delay <= self.delay


@dataclass(frozen=True)
class BenchUnit:
    """A unit of the bench: its name for ``--unit``, what it is, how it is made, its mark."""

    name: str
    what: str
    make: Callable[[], Unit]
    mark: Mark | None = None


def _csu() -> Unit:
    config = preset("tiny")
    return CoarseScaleUnit(
        config.accumulator_bits, config.groups.places, config.groups.scale_format, config.csu_share
    )


def _lane() -> Unit:
    config = preset("tiny")
    return VectorLane(config.numbers.data_format, config.rmc.cols // config.lvc_tokens, rounds=False)


UNITS = (
    BenchUnit(
        "dot",
        "16 x INT4 dot product, 12-bit sum",
        lambda: DotProduct(16, 4, 4),
        Mark(7500, 4.5, reference="ITA 14,988 um2, 5.92 ns"),
    ),
    BenchUnit(
        "pe",
        "PE, 16 x INT4, shifts 2 + 1, 18-bit accumulator",
        lambda: ProcessingElement(16, 4, 4, FineLevel.SHIFT, 2, 1, 18),
        Mark(of="dot", factor=1.6),
    ),
    BenchUnit(
        "fma-fp16",
        "FP16 fused multiply-add",
        lambda: FusedMultiplyAdd(FP16),
        Mark(9000, reference="CVFPU 11,355 um2"),
    ),
    BenchUnit(
        "fma-fp32",
        "FP32 fused multiply-add",
        lambda: FusedMultiplyAdd(FP32),
        Mark(30000, reference="CVFPU 35,319 um2"),
    ),
    BenchUnit("add-fp32", "FP32 sum", lambda: Add(FP32)),
    BenchUnit("multiply-fp16", "FP16 x FP16 to FP32", lambda: Multiply(FP16, FP16, FP32)),
    BenchUnit("integer-to-fp32", "18-bit integer to FP32", lambda: IntegerToFloat(18, True, FP32)),
    BenchUnit("fp32-to-fp16", "FP32 to FP16", lambda: Convert(FP32, FP16)),
    BenchUnit("csu", "coarse-scale unit of preset tiny", _csu),
    BenchUnit("lane", "vector lane of preset tiny", _lane),
)
"""The units, in the order of the table. The shift dequantizer is a part of the PE."""


@dataclass(frozen=True)
class Result:
    """A unit measured. `mark` has its area worked out; None where the library has no marks. `kept`: not run anew."""

    unit: BenchUnit
    measurement: Measurement
    mark: Mark | None
    kept: bool

    def row(self) -> dict[str, Any]:
        """The figures as plain data."""
        return {
            "unit": self.unit.name,
            "module": self.measurement.name,
            "area_um2": self.measurement.area,
            "delay_ns": self.measurement.delay,
            "cells": self.measurement.cell_count,
            "mark_area_um2": self.mark.area if self.mark else None,
            "mark_delay_ns": self.mark.delay if self.mark else None,
            "reference": self.mark.reference if self.mark else "",
            "met": self.mark.met(self.measurement) if self.mark else None,
        }


class BenchError(RuntimeError):
    """A tool failed. The message ends with its last lines, `log` is the file with all of them."""

    def __init__(self, message: str, log: Path) -> None:
        super().__init__(message)
        self.log = log


def run(
    units: Iterable[BenchUnit],
    cells: Library,
    folder: Path,
    advance: Callable[[int], None] = lambda done: None,
    known: Iterable[BenchUnit] = UNITS,
) -> list[Result]:
    """Measure units, one after the other; what was measured before with the same content is taken from `folder`.

    Parameters
    ----------
    units : which
    cells : the library
    folder : where results are kept, and the log when a tool fails
    advance : called with the number of units done
    known : where the units are found that marks refer to

    Raises
    ------
    BenchError : when a tool fails; nothing is kept of that unit.
    """
    versions = tools()
    marked = any(name.startswith(MARKED) for name in cells.names)
    by_name = {unit.name: unit for unit in known}
    results = []
    for done, unit in enumerate(units, 1):
        measurement, kept = _measure(unit, cells, folder, versions)
        mark = unit.mark if marked else None
        if mark and mark.of:
            other, _ = _measure(by_name[mark.of], cells, folder, versions)
            mark = replace(mark, area=mark.factor * other.area)
        results.append(Result(unit, measurement, mark, kept))
        advance(done)
    return results


def _measure(
    unit: BenchUnit, cells: Library, folder: Path, versions: dict[str, str | None]
) -> tuple[Measurement, bool]:
    """One unit, and whether its result was kept from before."""
    modules = emit(unit.make())
    text, top = verilog(modules), modules[-1].name
    ours = kept.sources([flow, expression, fulladder, liberty, library])
    options = json.dumps({"target_ps": TARGET_PS, "adder_cells": True, "dont_use": liberty.NEVER})
    store = Kept(folder, text, top, cells.digest, json.dumps(versions), options, ours)
    try:
        return Measurement(**store.get()), True
    except TypeError:
        pass  # nothing that can be read
    try:
        measurement = measure_verilog(text, top, cells.paths, target_ps=TARGET_PS, adder_cells=True)
    except SynthesisError as error:
        raise BenchError(f"{unit.name}: {error}", store.log(error.log)) from None
    store.put(asdict(measurement))
    return measurement, False
