"""The second product of the integer classes."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import FP16, FP32, NO_PIPELINE, Config, FineLevel
from sevedo.hw.core import payloads
from sevedo.hw.float.pipeline import delayed
from sevedo.hw.rmc.pe import ProcessingElement
from sevedo.hw.stream.queue import TileQueue
from sevedo.hw.unit import Unit

from .class_sequencer import ClassSequencer
from .scale import ClassScaleUnit


class IntegerExpander(Unit):
    """L = U z of the integer classes, a block of `int_tokens` tokens of a tile after the other.

    `rows` x `int_tokens` PEs take `int_lanes` products of digits in a step, one class after the other; a class-scale
    unit serves `class_share` of them. A queue for each class holds `depth` blocks of sums until all that they are added
    to is there.

    Timing: a step a cycle while codes of z and U are there; for what the last step of a class waits, see
    `ClassSequencer`. Sums are offered `latency` cycles after the last step of their class and block of tokens.
    Numerics: docs/numerics.md, low-rank path, integer classes.

    Parameters
    ----------
    config : sizes and formats, with integer classes

    Members
    -------
    command : In(stream of payloads.command), one for a layer
    u, u_scale : In(stream), see payloads.class_operands (`int_u`, `int_u_scale`)
    available : In(1), codes of z of the column tile are complete
    free : Out(1), the last step of a column tile: they are not needed any more
    index, block, part : Out, which are needed: class, block of ranks, block of tokens
    z : In(payloads.z_codes), these, in the same cycle
    sums_<class> : Out(stream of payloads.sums), of every tile
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        operands, steps = payloads.class_operands(config), ClassSequencer(config)
        numbers = config.numbers
        self._element = ProcessingElement(
            config.lvc.int_lanes, numbers.activation_bits, numbers.weight_bits, FineLevel.NONE, 0, 0,
            config.class_sum_bits, digit_bits=numbers.activation_bits,
        )  # fmt: skip
        super().__init__(
            {
                "command": In(stream.Signature(payloads.command(config))),
                "u": In(stream.Signature(operands["int_u"])),
                "u_scale": In(stream.Signature(operands["int_u_scale"])),
                "available": In(1),
                "free": Out(1),
                **{name: Out(getattr(steps, name).shape()) for name in ("index", "block", "part")},
                "z": In(payloads.z_codes(config)),
                **{
                    f"sums_{each.name}": Out(stream.Signature(payloads.sums(config)))
                    for each in config.rank_classes
                },
            }
        )

    @property
    def module_name(self) -> str:
        return "integer_expander"

    @property
    def depth(self) -> int:
        """Blocks of sums in a queue: two; three where registers inside the units make the way there a long one, so that
        a block is under way, one waits and one is being taken.
        """
        return 2 if self.config.pipeline == NO_PIPELINE else 3

    @property
    def latency(self) -> int:
        """Cycles from the last step of a class and block of tokens to the first offer of its sums."""
        return self._element.latency + 1 + self._unit().latency + TileQueue.LATENCY

    def _unit(self) -> ClassScaleUnit:
        return ClassScaleUnit(self.config.class_sum_bits, self.config.pipeline)

    def build(self) -> Module:
        m = Module()
        config = self.config
        m.submodules.steps = steps = ClassSequencer(config)
        connect(m, flipped(self.command), steps.command)
        end = steps.step & steps.last
        m.d.comb += [
            steps.operands_valid.eq(self.available & self.u.valid),
            steps.scales_valid.eq(self.u_scale.valid),
            self.u.ready.eq(steps.step),
            self.u_scale.ready.eq(end),
            self.free.eq(steps.free),
            Cat(self.index, self.block, self.part).eq(Cat(steps.index, steps.block, steps.part)),
        ]
        sums, stepping, index = self._scaled(m, steps, end)
        done = delayed(m, "done", stepping, self._unit().latency)[-1]
        of_class = delayed(m, "of_class", index, self._unit().latency)[-1]
        rows, tokens, share = config.rmc.rows, config.lvc.int_tokens, config.class_share
        for place, each in enumerate(config.rank_classes):
            queue = TileQueue(rows, tokens, tokens // share, config.lvc.output_tokens, FP32.width, self.depth)
            m.submodules[f"queue_{each.name}"] = queue
            out = getattr(self, f"sums_{each.name}")
            connect(m, queue.o, flipped(out))
            m.d.comb += [queue.i.p.eq(Cat(*sums)), queue.i.valid.eq(done & (of_class == place))]
            gone = self._last_beat(m, out)
            reserve = end & (steps.index == place)
            places = Signal(range(self.depth + 1), init=self.depth, name=f"places_{each.name}")
            m.d.sync += places.eq(places - reserve + gone)
            m.d.comb += steps.room[place].eq(places != 0)
        return m

    def _last_beat(self, m: Module, out: stream.Interface) -> Value:
        """The last beat of a block of tokens goes."""
        beats = self.config.lvc.int_tokens // self.config.lvc.output_tokens
        beat = Signal(range(max(beats, 2)))
        go, last = out.valid & out.ready, beat == beats - 1
        with m.If(go):
            m.d.sync += beat.eq(Mux(last, 0, beat + 1))
        return go & last

    def _scaled(self, m: Module, steps: ClassSequencer, end: Value) -> tuple[list[Value], Value, Value]:
        """PEs and class-scale units: their results, token by token, and when sums of which class go into the units."""
        config = self.config
        share, rows, tokens = config.class_share, config.rmc.rows, config.lvc.int_tokens
        block = tokens // share
        z = [[Signal.like(code[0], reset_less=True) for code in token] for token in self.z]
        u = Signal.like(self.u.p, name="u_digits", reset_less=True)
        with m.If(steps.step):
            m.d.sync += u.eq(self.u.p)
            for token in range(tokens):
                for lane, code in enumerate(self.z[token]):
                    m.d.sync += z[token][lane].eq(Mux(steps.high, code[1], code[0]))
        to_capture = self._element.latency
        enable = delayed(m, "taken", steps.step, 1)[-1]
        first = delayed(m, "first", steps.first, 2)[-1]
        promote = delayed(m, "promote", steps.promote, 2)[-1]
        capture = delayed(m, "ended", end, to_capture)[-1]
        stepping = Cat(delayed(m, "unit_step", capture, share)).any()

        waiting: Value = Cat(self.u_scale.p, steps.index)
        for stage in range(1 if share >= to_capture else to_capture):
            held = Signal(len(waiting), name=f"scales_{stage}", reset_less=True)
            with m.If(end if stage == 0 else 1):
                m.d.sync += held.eq(waiting)
            waiting = held
        scales = Signal(FP16.width * rows, reset_less=True)
        index = Signal(reset_less=True)
        with m.If(capture):
            m.d.sync += Cat(scales, index).eq(waiting)

        results: list[list[Value]] = [[] for _ in range(block)]
        for row in range(rows):
            chains: list[Value] = [Const(0, signed(config.class_sum_bits))] * block
            for token in reversed(range(tokens)):
                pe = ProcessingElement(**self._element.parameters)
                m.submodules[f"pe_{row}_{token}"] = pe
                m.d.comb += [
                    Value.cast(pe.x_codes).eq(Cat(z[token])),
                    pe.w_codes.eq(u[row]),
                    pe.product_enable.eq(enable),
                    pe.first.eq(first),
                    pe.promote.eq(promote),
                    pe.capture.eq(capture),
                    pe.drain_in.eq(chains[token % block]),
                ]
                chains[token % block] = pe.drain_out
            for token, head in enumerate(chains):
                m.submodules[f"scale_{row}_{token}"] = unit = self._unit()
                m.d.comb += [
                    unit.sum.eq(head),
                    unit.scale.eq(scales.word_select(row, FP16.width)),
                    unit.valid.eq(stepping),
                ]
                results[token].append(unit.result)
        return [Cat(token) for token in results], stepping, index
