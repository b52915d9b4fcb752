"""Words of a host to the operands of the residual matrix core, and its sums back."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config
from sevedo.gen.config.link import OPERANDS, STATUS_WINDOW, SUMS_WINDOW, WINDOW_WORDS, ArrayStatus
from sevedo.hw.bus.registers import ADDRESS_BITS
from sevedo.hw.core import payloads
from sevedo.hw.link.word import word_bus
from sevedo.hw.rmc.rmc import ResidualMatrixCore
from sevedo.hw.unit import Unit

WORD = 32


def operand_shapes(config: Config) -> dict[str, ShapeCastable]:
    """Beats of `OPERANDS`."""
    core = ResidualMatrixCore(config)
    return {name: getattr(core, name).p.shape() for name in OPERANDS}


def words_of(shape: ShapeCastable) -> int:
    """Words that a beat takes, the lowest bits first."""
    return -(-Shape.cast(shape).width // WORD)


class ArrayPort(Unit):
    """A window of addresses for every operand: words from its first on are a beat, which goes when its last is written.

    A beat waits until the array takes it. Its window takes no word meanwhile: such a write waits for it, and after
    `patience` cycles ends with an error, without any effect. So does what is neither a word of a beat nor the status.
    Sums are read as often as one likes; a write into their window gives way to the next beat.

    Timing: an access ends in the cycle after it was taken, or after the window is free.
    Numerics: none.

    Parameters
    ----------
    config : of the array
    patience : see above, a power of two

    Members
    -------
    host : In(word_bus)
    command, x, x_scale, w, w_scale : Out(stream), see `ResidualMatrixCore`
    sums : In(stream of payloads.residual_sums)

    Raises
    ------
    ValueError : a beat that a window has no room for.
    """

    def __init__(self, config: Config, patience: int = 4096) -> None:
        self.config, self.patience = config, patience
        self._operands = operand_shapes(config)
        for name, shape in (*self._operands.items(), ("sums", payloads.residual_sums(config))):
            if words_of(shape) > WINDOW_WORDS:
                raise ValueError(f"{name} takes {words_of(shape)} words; a window has {WINDOW_WORDS}")
        super().__init__(
            {"host": In(word_bus())}
            | {name: Out(stream.Signature(shape)) for name, shape in self._operands.items()}
            | {"sums": In(stream.Signature(payloads.residual_sums(config)))}
        )

    @property
    def module_name(self) -> str:
        return "array_port"

    def build(self) -> Module:
        m = Module()
        host = self.host
        busy = Signal()
        left = Signal(range(self.patience), reset_less=True)
        request = Signal.like(host.request.p)
        m.d.comb += host.request.ready.eq(~busy)
        with m.If(host.request.valid & ~busy):
            m.d.sync += [busy.eq(1), request.eq(host.request.p), left.eq(self.patience - 1)]
        word = request.address[2 : 2 + (WINDOW_WORDS - 1).bit_length()]
        window = request.address[2 + len(word) : ADDRESS_BITS]
        ended = Signal()
        wrong = Signal()
        read = Signal(WORD)
        with m.If(busy):
            m.d.sync += left.eq(left - 1)
            with m.Switch(window):
                for number, name in enumerate(OPERANDS):
                    with m.Case(number):
                        self._write(m, name, word, request, ended, wrong)
                with m.Case(SUMS_WINDOW):
                    self._sums(m, word, request, ended, wrong, read)
                with m.Case(STATUS_WINDOW):
                    waiting = [getattr(self, name).valid for name in OPERANDS]
                    known = {
                        ArrayStatus.THERE: Cat(self.sums.valid, *waiting),
                        ArrayStatus.CONFIGURATION: Const(self.config.fingerprint, WORD),
                    }
                    m.d.comb += [ended.eq(1), wrong.eq(request.write | (word >= len(known)))]
                    with m.Switch(word):
                        for place, value in known.items():
                            with m.Case(place):
                                m.d.comb += read.eq(value)
                with m.Default():
                    m.d.comb += [ended.eq(1), wrong.eq(1)]
        over = busy & ~ended & (left == 0)
        m.d.sync += [host.done.eq(ended | over), host.error.eq(wrong | over), host.data.eq(read)]
        with m.If(ended | over):
            m.d.sync += busy.eq(0)
        for name in OPERANDS:
            beat = getattr(self, name)
            with m.If(beat.valid & beat.ready):
                m.d.sync += beat.valid.eq(0)
        return m

    def _write(self, m: Module, name: str, word: Value, request: Any, ended: Value, wrong: Value) -> None:
        """A word of a beat."""
        beat, count = getattr(self, name), words_of(self._operands[name])
        bits = Value.cast(beat.p)
        with m.If(~request.write | (word >= count)):
            m.d.comb += [ended.eq(1), wrong.eq(1)]
        with m.Elif(~beat.valid):
            m.d.comb += ended.eq(1)
            with m.Switch(word):
                for place in range(count):
                    with m.Case(place):
                        part = bits[WORD * place : WORD * (place + 1)]
                        m.d.sync += part.eq(request.data)
            m.d.sync += beat.valid.eq(word == count - 1)

    def _sums(self, m: Module, word: Value, request: Any, ended: Value, wrong: Value, read: Value) -> None:
        """A word of the sums, or away with them."""
        bits = Value.cast(self.sums.p)
        m.d.comb += [ended.eq(1), wrong.eq(~self.sums.valid | (word >= words_of(self.sums.p.shape())))]
        m.d.comb += self.sums.ready.eq(request.write)
        with m.Switch(word):
            for place in range(words_of(self.sums.p.shape())):
                with m.Case(place):
                    m.d.comb += read.eq(bits[WORD * place : WORD * (place + 1)])
