"""Units in Amaranth's simulator with several streams at once: stalls, rules of streams, and when what happened."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from amaranth.hdl import Shape
from amaranth.sim import Simulator

from sevedo.hw.unit import Unit

STALLS = [(i, o) for i in (0.0, 0.25, 0.75) for o in (0.0, 0.25, 0.75)]
"""Probabilities that an input holds back, that an output does."""

Beat = dict[str, int] | int


class Bench:
    """A unit whose streams are driven and watched; every process is called once a cycle.

    Members
    -------
    cycle : cycles since reset
    taken : of every stream, the beats transferred
    cycles : of every stream, the cycle of each transfer
    pulses : of every watched signal, the cycles in which it was 1
    """

    def __init__(self, unit: Unit, *, stall: tuple[float, float] = (0.0, 0.0), seed: int = 0) -> None:
        self.unit = unit
        self.cycle = 0
        self.taken: dict[str, list[Any]] = {}
        self.cycles: dict[str, list[int]] = {}
        self.pulses: dict[str, list[int]] = {}
        self._stall = stall
        self._rng = random.Random(f"{stall} {seed}")
        self._simulator = Simulator(unit)
        self._simulator.add_clock(1e-6)
        self._inputs: dict[str, list[Beat]] = {}
        self._outputs: list[str] = []
        self._held: dict[str, Any] = {}
        self._driven: dict[str, bool] = {}
        self._holding: dict[str, float] = {}
        self._steps: list[Callable[[Any], None]] = []

    def send(self, name: str, beats: Sequence[Beat], stall: float | None = None) -> None:
        """Offer `beats` at input `name`; fields by name, or one number. More may be added to the list later."""
        self._inputs[name] = list(beats) if not isinstance(beats, list) else beats
        self._prepare(name, self._stall[0] if stall is None else stall)

    def receive(self, name: str, stall: float | None = None) -> None:
        """Take whatever output `name` gives."""
        self._outputs.append(name)
        self._prepare(name, self._stall[1] if stall is None else stall)

    def watch(self, *names: str) -> None:
        """Note the cycles in which plain outputs are 1."""
        self.pulses |= {name: [] for name in names}

    def each_cycle(self, step: Callable[[Any], None]) -> None:
        """Call `step(context)` in each cycle, when inputs are set and outputs have settled; it may set more inputs."""
        self._steps.append(step)

    def run(self, done: Callable[[], bool], hang: int = 2000, drain: int = 30) -> None:
        """Until `done()`, then `drain` cycles more, which look for surplus beats.

        Raises
        ------
        AssertionError : for a broken rule, or when nothing is transferred for `hang` cycles.
        """

        async def drive(context) -> None:
            left = drain
            while left:
                quiet = self.cycle - max((each[-1] for each in self.cycles.values() if each), default=0)
                assert quiet < hang, f"nothing happens any more in cycle {self.cycle}: {self._progress()}"
                self._offer(context)
                await context.delay(0.2e-6)
                for step in self._steps:
                    step(context)
                await context.delay(0.2e-6)
                self._look(context)
                await context.tick()
                self.cycle += 1
                left = left - 1 if done() else drain

        self._simulator.add_testbench(drive)
        self._simulator.run()

    def _prepare(self, name: str, stall: float) -> None:
        self.taken[name], self.cycles[name], self._holding[name] = [], [], stall

    def _progress(self) -> dict[str, int]:
        return {name: len(beats) for name, beats in self.taken.items()}

    def _offer(self, context) -> None:
        for name, beats in self._inputs.items():
            stream, number = self._port(name), len(self.taken[name])
            # Valid does not drop: a beat that was offered stays.
            if name in self._held:
                continue
            valid = number < len(beats) and self._rng.random() >= self._holding[name]
            if valid:
                self._held[name] = beats[number]
                self._set(context, stream.payload, beats[number])
            elif self._driven.get(name):
                self._set(context, stream.payload, self._rng.getrandbits(_width(stream.payload)))
            self._drive(context, name, stream.valid, valid)
        for name in self._outputs:
            self._drive(context, name, self._port(name).ready, self._rng.random() >= self._holding[name])

    def _drive(self, context, name: str, signal, value: bool) -> None:
        """Set a signal where it changes: the simulator looks at the whole design after each setting."""
        if self._driven.get(name) != value:
            context.set(signal, value)
            self._driven[name] = value

    def _look(self, context) -> None:
        for name, beats in self._inputs.items():
            stream = self._port(name)
            if context.get(stream.valid) and context.get(stream.ready):
                self._note(name, beats[len(self.taken[name])])
                self._held.pop(name, None)
        for name in self._outputs:
            stream = self._port(name)
            if not context.get(stream.valid):
                assert name not in self._held, f"{name}: valid dropped in cycle {self.cycle}"
                continue
            beat = self._get(context, stream.payload)
            assert self._held.get(name, beat) == beat, f"{name}: payload changed in cycle {self.cycle}"
            self._held[name] = beat
            if context.get(stream.ready):
                self._note(name, beat)
                del self._held[name]
        for name, cycles in self.pulses.items():
            if context.get(getattr(self.unit, name)):
                cycles.append(self.cycle)

    def _note(self, name: str, beat: Any) -> None:
        self.taken[name].append(beat)
        self.cycles[name].append(self.cycle)

    def _port(self, name: str) -> Any:
        return getattr(self.unit, name)

    @staticmethod
    def _set(context, payload, beat: Beat) -> None:
        if isinstance(beat, dict):
            word, low = 0, 0
            for field, shape in payload.shape().members.items():
                width = Shape.cast(shape).width
                word |= (beat[field] & (1 << width) - 1) << low
                low += width
            beat = word
        context.set(payload.as_value() if hasattr(payload, "as_value") else payload, beat)

    @staticmethod
    def _get(context, payload) -> Beat:
        if hasattr(payload, "as_value"):
            members = getattr(payload.shape(), "members", None)
            if members is None:
                return context.get(payload.as_value())
            return {field: context.get(payload[field]) for field in members}
        return context.get(payload)


def _width(payload) -> int:
    return Shape.cast(payload.shape()).width


def gaps(cycles: Sequence[int]) -> int:
    """Cycles without a transfer between the first and the last."""
    return cycles[-1] - cycles[0] + 1 - len(cycles)
