"""The Python machine: runs a program of the processor, bit for bit.

Units take turns; each carries out an instruction at once when it can. Time is not modelled, but what has room for
what is: buffers have the depth of `sevedo.gen.config.operands`, queues their places, so that a program that stands
still in hardware for want of room does not run here.
"""

from __future__ import annotations

import random
from collections import deque

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import (
    INSTRUCTION_BYTES,
    INSTRUCTIONS,
    NO_UNIT,
    QUEUE_PLACES,
    TOKEN_LIMIT,
    TOKENS,
    Error,
    Unit,
    decode,
    rules,
)

from ..residual import residual as golden_residual
from .executor import Decoded, Executor, Parts
from .matmul import Residual
from .memories import Dram, Memories
from .report import Report, Stop
from .units import EXECUTORS


class Queue:
    """A unit with the instructions that wait for it."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.waiting: deque[Decoded] = deque()
        self.active: Decoded | None = None

    @property
    def unit(self) -> Unit:
        """Whose it is."""
        return self.executor.unit


class Machine:
    """The processor of a configuration with its DRAM.

    Parameters
    ----------
    config : the processor
    image : content of segment IMAGE
    data : content of segment DATA, which the program changes
    program : offset of the program in the image, register PROGRAM; a multiple of an instruction and of a bus word
    turns : units take turns in a random order and some are slow; None: in the order of `Unit`. No sound program's
        result depends on it
    residual : what computes residual sums in its place; for boards that have nothing but an array

    Members
    -------
    memories : what the processor holds
    tokens : of each kind
    fetched : instructions, END included
    """

    def __init__(
        self,
        config: Config,
        image: bytes | bytearray,
        data: bytearray,
        program: int = 0,
        turns: random.Random | None = None,
        residual: Residual = golden_residual,
    ) -> None:
        config.check_processor()
        self._turns = turns
        self.memories = Memories(config)
        self.tokens = [0] * TOKENS
        self.fetched = 0
        dram = Dram(image, data, config.bus.data_bytes)
        parts = Parts(config, dram, self.memories, {}, residual)
        self._image, self._program, self._over = image, program, False
        # Instructions are read in whole bus words, from a place that is a multiple of both.
        self._unit_bytes = max(config.bus.data_bytes, INSTRUCTION_BYTES)
        self._end_of_program = program + (len(image) - program) // self._unit_bytes * self._unit_bytes
        self._queues = [Queue(kind(parts)) for kind in EXECUTORS]
        self._chances = [] if turns is None else [(turns.random() ** 3, queue) for queue in self._queues]
        self._rules = {each.name: rules(config, each.name) for each in INSTRUCTIONS}

    def run(self) -> Report:
        """To the end of the program or the first error. It always returns: no instruction is carried out twice."""
        try:
            while True:
                moved = self._random_turns() or self._fetch()
                for queue in self._queues if self._turns is None or not moved else ():
                    moved |= self._turn(queue)
                if self._over and not any(queue.waiting or queue.active for queue in self._queues):
                    return self._end()
                if not moved:
                    raise self._stuck()
        except Stop as stop:
            return stop.report

    def _random_turns(self) -> bool:
        """Turns of some units, in any order; whether anything changed."""
        if self._turns is None:
            return False
        moved = self._fetch()
        for chance, queue in self._turns.sample(self._chances, len(self._chances)):
            if self._turns.random() < chance:
                moved |= self._turn(queue)
        return moved

    def _fetch(self) -> bool:
        """The next instruction into its queue; whether there was one, and room for it."""
        if self._over:
            return False
        place = self._program + INSTRUCTION_BYTES * self.fetched
        code = bytes(self._image[place : place + INSTRUCTION_BYTES])
        if self._program % self._unit_bytes or place + INSTRUCTION_BYTES > self._end_of_program:
            raise Stop(Error.RANGE, NO_UNIT, self.fetched)
        instruction, fields, excess = decode(code)
        if (
            instruction is None
            or excess
            or not all(rule.holds(fields) for rule in self._rules[instruction.name])
        ):
            raise Stop(Error.ILLEGAL, NO_UNIT, self.fetched)
        if instruction.name == "END":
            self._over = True
            self.fetched += 1
            return True
        unit = fields["unit"] if instruction.unit is None else instruction.unit
        if len(self._queues[unit].waiting) == QUEUE_PLACES:
            return False
        self._queues[unit].waiting.append(Decoded(self.fetched, instruction.name, fields))
        self.fetched += 1
        return True

    def _turn(self, queue: Queue) -> bool:
        """Let a unit go on; whether anything changed."""
        moved = False
        if queue.active is None:
            if not queue.waiting or not self._begins(queue):
                return False
            moved = True
        now = queue.active
        assert now is not None
        done = True
        if now.name != "SYNC":
            advanced, done = queue.executor.advance()
            moved |= advanced
        if done:
            queue.active = None
            self._give(queue.unit, now)
            moved = True
        return moved

    def _begins(self, queue: Queue) -> bool:
        """Whether the first instruction that waits has its tokens; it takes them and begins."""
        first = queue.waiting[0]
        wanted = [kind for kind in range(TOKENS) if first.fields["wait"] >> kind & 1]
        if not all(self.tokens[kind] for kind in wanted):
            return False
        for kind in wanted:
            self.tokens[kind] -= 1
        queue.active = queue.waiting.popleft()
        if first.name != "SYNC":
            queue.executor.begin(first)
        return True

    def _give(self, unit: Unit, instruction: Decoded) -> None:
        for kind in range(TOKENS):
            if instruction.fields["give"] >> kind & 1:
                if self.tokens[kind] == TOKEN_LIMIT:
                    raise Stop(Error.TOKEN_OVERFLOW, unit, instruction.number)
                self.tokens[kind] += 1

    def _end(self) -> Report:
        """The program is over and no instruction is left."""
        left = self.memories.outputs or any(buffer.beats for buffer in self.memories.buffers.values())
        return Report(Error.STALL if left else Error.NONE, NO_UNIT, self.fetched)

    def _stuck(self) -> Stop:
        """Why nothing can go on."""
        for queue in self._queues:
            if queue.active is not None:
                return Stop(Error.STALL, queue.unit, queue.active.number)
        for queue in self._queues:
            if queue.waiting:
                return Stop(Error.TOKEN_MISSING, queue.unit, queue.waiting[0].number)
        return Stop(Error.STALL, NO_UNIT, self.fetched)


def run(
    config: Config,
    image: bytes | bytearray,
    data: bytearray,
    program: int = 0,
    residual: Residual = golden_residual,
) -> Report:
    """Run a program; `data` is changed in place. See `Machine`."""
    return Machine(config, image, data, program, residual=residual).run()
