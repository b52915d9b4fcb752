"""What a core's energy is told apart by, and the modules that must stay modules for that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sevedo.gen.verilog.emitter import EmittedModule
from sevedo.hw.float import Multiply
from sevedo.hw.integer.dot import DotProduct
from sevedo.hw.lvc.class_sequencer import ClassSequencer
from sevedo.hw.lvc.code_writer import CodeWriter
from sevedo.hw.lvc.lane import VectorLane
from sevedo.hw.lvc.output import OutputLane
from sevedo.hw.lvc.scale import ClassScaleUnit
from sevedo.hw.quantizer.code import ActivationCode
from sevedo.hw.quantizer.coder import GroupCoder
from sevedo.hw.quantizer.maxima import GroupMaxima
from sevedo.hw.quantizer.scale import GroupScale
from sevedo.hw.rmc.accumulate import AccumulatorAdder
from sevedo.hw.rmc.csu import CoarseScaleUnit
from sevedo.hw.rmc.dequantize import IntegerDequantizer, ShiftDequantizer
from sevedo.hw.rmc.pe import ProcessingElement
from sevedo.hw.rmc.sequencer import RmcSequencer
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.stream.queue import TileQueue
from sevedo.hw.stream.tile import TileBuffer
from sevedo.hw.unit import Unit

from .outline import MemoryMacro

PARTS: tuple[type[Unit], ...] = (
    ProcessingElement, DotProduct, ShiftDequantizer, IntegerDequantizer, AccumulatorAdder, CoarseScaleUnit,
    TileBuffer, TileQueue, StreamBuffer, RmcSequencer, ClassSequencer, VectorLane, OutputLane, ClassScaleUnit,
    CodeWriter,
)  # fmt: skip
"""Units that stay modules: what is there many times, and what the table below tells apart."""


@dataclass(frozen=True)
class Part:
    """Cells whose instance's path (``rmc/pe_0_1/dot``) a pattern is found in. The first of a list to take one has it.

    Members
    -------
    name : for the report
    group : the larger part that it belongs to
    pattern : regular expression, searched in the path of the module instance; "" takes everything
    registers : flip-flops alone (True), gates alone (False) or both (None)
    """

    name: str
    group: str
    pattern: str
    registers: bool | None = None

    def takes(self, path: str, register: bool) -> bool:
        """Whether a cell belongs to it."""
        return self.registers in (None, register) and re.search(self.pattern, path) is not None


RESIDUAL, LOW_RANK, CLASSES, FINISH, CONTROL = (
    "residual path",
    "low-rank path, FP16",
    "low-rank path, integer classes",
    "sum of everything",
    "control",
)
DOT, FINE, ACCUMULATE, COARSE = (
    "dot products",
    "fine dequantization",
    "accumulation and drain",
    "coarse-scale units",
)

CORE_PARTS = (
    Part("sequencers and command buffers", CONTROL, r"(^|/)(sequencer|steps|\w*command)$"),
    Part(DOT, RESIDUAL, r"^rmc/pe_\d+_\d+/dot$"),
    Part(FINE, RESIDUAL, r"^rmc/pe_\d+_\d+/(dequantizer|scales)$"),
    Part(ACCUMULATE, RESIDUAL, r"^rmc/pe_"),
    Part(COARSE, RESIDUAL, r"^rmc/csu_"),
    Part("tile buffer", RESIDUAL, r"^rmc/sums$"),
    Part("operand and scale registers", RESIDUAL, r"^rmc$", True),
    Part("gates beside them", RESIDUAL, r"^rmc"),
    Part("projector lanes", LOW_RANK, r"^lvc/projector/lane"),
    Part("expander lanes", LOW_RANK, r"^lvc/expander/lane"),
    Part("expander's buffer", LOW_RANK, r"^lvc/expander/output$"),
    Part("projector's array: PEs", CLASSES, r"^lvc/classes/projector/array/pe_"),
    Part("projector's array: coarse-scale units", CLASSES, r"^lvc/classes/projector/array/csu_"),
    Part("projector's array: registers and buffer", CLASSES, r"^lvc/classes/projector"),
    Part("expander's PEs", CLASSES, r"^lvc/classes/expander/pe_"),
    Part("expander's class-scale units", CLASSES, r"^lvc/classes/expander/scale_"),
    Part("expander's registers and queues", CLASSES, r"^lvc/classes/expander"),
    Part("codes of z", CLASSES, r"^lvc/classes"),
    Part("finisher", FINISH, r"^lvc/finisher"),
    Part("queue of residual sums, its control", FINISH, r"^lvc/queue"),
    Part("projector, expander: the rest", LOW_RANK, r"^lvc"),
    Part("rest of the core", CONTROL, ""),
)
"""The parts of `Core`, from the paths of its units."""


QUANTIZER = "quantizer"
QUANTIZER_PARTS = (
    Part("products with m", QUANTIZER, r"^smooth_"),
    Part("maxima and scales", QUANTIZER, r"^maxima"),
    Part("codes and shifts", QUANTIZER, r"^coder"),
    Part("numbers that wait, control", QUANTIZER, ""),
)
"""The parts of `ActivationQuantizer`."""
QUANTIZER_UNITS: tuple[type[Unit], ...] = (
    Multiply,
    GroupMaxima,
    GroupScale,
    GroupCoder,
    ActivationCode,
    StreamBuffer,
)
"""Its units that stay modules."""


def boundaries(
    emitted: Sequence[EmittedModule], staying: Sequence[type[Unit]] = PARTS
) -> tuple[type[Unit], ...]:
    """Classes of units that stay modules: those that must, memories, and all that contain some of them."""
    names: set[str] = set()
    for module in emitted:  # children first
        known = isinstance(module.unit, (*staying, MemoryMacro))
        if known or any(child in names for child, _ in module.children):
            names.add(module.name)
    return tuple(dict.fromkeys(type(module.unit) for module in emitted if module.name in names))
