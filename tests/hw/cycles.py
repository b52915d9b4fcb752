"""Units without streams, cycle by cycle in Amaranth's simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from amaranth.sim import Simulator

from sevedo.hw.unit import Unit


def cycles(unit: Unit, inputs: Sequence[Mapping[str, int]], outputs: Sequence[str]) -> list[dict[str, int]]:
    """Drive `inputs` cycle by cycle; what `outputs` show in each cycle, before its clock edge."""
    seen: list[dict[str, int]] = []

    async def drive(context) -> None:
        for values in inputs:
            for name, value in values.items():
                context.set(getattr(unit, name), value)
            await context.delay(0.25e-6)
            seen.append({name: int(context.get(getattr(unit, name))) for name in outputs})
            await context.tick()

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    assert len(seen) == len(inputs)
    return seen
