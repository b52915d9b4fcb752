"""Declared latencies of the feeders and of the quantize unit, and no gaps: in Amaranth's simulator, cycle by cycle."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.sim import Simulator

from sevedo.gen.config import preset
from sevedo.gen.config.operands import operands
from sevedo.hw.feed.column_feeder import ColumnFeeder
from sevedo.hw.feed.group_feeder import GroupFeeder
from sevedo.hw.feed.quantize import QuantizeUnit
from sevedo.hw.feed.section_feeder import SectionFeeder
from sevedo.hw.feed.token_feeder import TokenFeeder
from sevedo.hw.unit import Unit

SMALL = preset("tiny").replace(
    rmc__rows=1, rmc__cols=2, rmc__lanes=2, groups__fine=4, groups__coarse=8, lvc__lanes=2, lvc__ranks=2,
    lvc__int_ranks=1, lvc__int_tokens=1, lvc__int_lanes=2, limits__inputs=64,
)  # fmt: skip
GROUP = {"tiles": 3, "groups": 2, "group": 0, "wide_w": 0}
TOKENS, LATER = TokenFeeder(SMALL), TokenFeeder(SMALL.replace(pipeline__quantize=2))
CASES: dict[str, tuple[Unit, dict[str, int], tuple[str, ...], str, int, int]] = {
    "section": (SectionFeeder(operands(SMALL)["v"]), {"sections": 2, "count": 6}, ("source",), "beats",
                SectionFeeder.LATENCY, 12),
    "residual": (GroupFeeder(SMALL, False), {**GROUP, "wide_x": 0}, ("w", "w_scale", "w_fine"), "weights",
                 GroupFeeder.LATENCY, 24),
    "projection": (GroupFeeder(SMALL, True), {**GROUP, "wide_x": 1}, ("w", "w_scale", "w_fine"), "x",
                   GroupFeeder.LATENCY, 48),
    "columns": (ColumnFeeder(SMALL), {"row_tiles": 2, "int8_blocks": 1, "int4_blocks": 2}, ("u", "u_scale"),
                "columns", ColumnFeeder.LATENCY, 2 * 2 * (4 + 4)),
    "tokens": (TOKENS, {"inputs": 9, "blocks": 2}, (), "token", TOKENS.latency, 18),
    "tokens, registered": (LATER, {"inputs": 9, "blocks": 2}, (), "token", TOKENS.latency + 1, 18),
}  # fmt: skip
"""Unit, command, what it reads that is always there, what it gives, its latency, beats."""


@pytest.mark.parametrize("name", CASES)
def test_feeders(name: str) -> None:
    unit, command, sources, out, latency, beats = CASES[name]
    port: Any = getattr(unit, out)
    given: list[int] = []

    async def drive(context) -> None:
        for source in sources:
            context.set(getattr(unit, source).available, 1)
        for other in ("x", "x_scale", "weights", "weight_scales", "columns", "scales", "beats", "token"):
            if hasattr(unit, other) and hasattr(getattr(unit, other), "ready"):
                context.set(getattr(unit, other).ready, 1)
        for field, value in command.items():
            context.set(unit.command.payload[field], value)
        context.set(unit.command.valid, 1)
        for cycle in range(200):
            if context.get(port.valid):
                given.append(cycle)
            taken = context.get(unit.command.ready)
            await context.tick()
            if taken:
                context.set(unit.command.valid, 0)

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    assert given == list(range(latency, latency + beats))


@pytest.mark.parametrize("registers", [0, 1, 2])
def test_quantize_unit(registers: int) -> None:
    """Done its declared number of cycles after the last of back-to-back reads; as many writes as there are beats."""
    unit = QuantizeUnit(SMALL.replace(pipeline__quantize=registers))
    reads: list[int] = []
    dones: list[int] = []
    writes = {1: 0, 2: 0}

    async def drive(context) -> None:
        fields = {"tokens": 2, "inputs": 20, "groups": 3}
        for field, value in fields.items():
            context.set(unit.instruction.payload[field], value)
        context.set(unit.instruction.valid, 1)
        context.set(unit.one.ready, 1)
        for cycle in range(120):
            if context.get(unit.one.valid):
                reads.append(cycle)
            for digits in writes:
                writes[digits] += context.get(getattr(unit, f"write_{digits}"))
            done = context.get(unit.done)
            if done:
                dones.append(cycle)
            await context.tick()
            if done:
                context.set(unit.instruction.valid, 0)

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    beats = 2 * 3 * SMALL.beats
    assert reads == list(range(beats))
    assert dones == [reads[-1] + unit.latency]
    assert writes == {1: beats, 2: beats}
