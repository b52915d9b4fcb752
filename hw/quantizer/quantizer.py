"""The activation quantizer: rows of numbers in, codes, numbers of fine groups and scales out."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import Config
from sevedo.hw.float import Multiply
from sevedo.hw.float.pipeline import delayed
from sevedo.hw.quantizer.coder import GroupCoder, code_beats
from sevedo.hw.quantizer.count import after
from sevedo.hw.quantizer.maxima import GroupMaxima
from sevedo.hw.quantizer.rule import ActivationRule
from sevedo.hw.unit import Unit

SMOOTHING_STAGES = 2


class ActivationQuantizer(Unit):
    """Quantizes rows, `lanes` numbers a cycle: x' = DATA(x * m), codes, numbers of fine groups, scales.

    The numbers of a coarse group wait in a memory until its maximum is known. The memory is a ring of beats, `depth`
    of them: a coarse group and what comes in while its scale is made, so that a beat goes in and one out every cycle
    whatever the size of the groups.

    Timing: a beat per cycle without gaps. The codes of a coarse group are offered `latency` cycles after its last beat
    was taken, x' one cycle before (two with registers inside), the scale with the last codes. The three outputs are
    independent: each may be taken up to a beat before the others. No combinational path from an output to an input or
    back.
    Numerics: docs/numerics.md, Input and Quantization of a row.

    Parameters
    ----------
    config : formats and groups
    digits : of a code, 1 or 2
    smoothing : whether numbers are multiplied; without, x' is x

    Members
    -------
    x : In(stream of ArrayLayout(data format, lanes)), k ascending; rows are padded with zeros to whole coarse groups
    multipliers : In(stream of the same), m, a beat with each of x; absent without smoothing
    codes : Out(stream of `code_beats`), digits, the low one first, and the number of the fine group with each beat
    values : Out(stream of ArrayLayout(data format, lanes)), x'
    scale : Out(stream of a scale), one for each coarse group

    Raises
    ------
    ConfigError : for what the quantizer does not have.
    """

    def __init__(self, config: Config, digits: int = 1, smoothing: bool = True) -> None:
        self.config = config
        self.rule = ActivationRule.of(config, digits)
        self.smoothing = smoothing
        numbers = data.ArrayLayout(unsigned(self.rule.data.width), config.rmc.lanes)
        super().__init__(
            {"x": In(stream.Signature(numbers))}
            | ({"multipliers": In(stream.Signature(numbers))} if smoothing else {})
            | {
                "codes": Out(stream.Signature(code_beats(self.rule, config.rmc.lanes))),
                "values": Out(stream.Signature(numbers)),
                "scale": Out(stream.Signature(unsigned(self.rule.scale.width))),
            }
        )

    @property
    def module_name(self) -> str:
        plain = "" if self.smoothing else "_plain"
        groups = f"{self.config.groups.coarse}_{self.config.groups.fine}_{self.config.rmc.lanes}"
        stages = self.config.pipeline.quantize
        return f"activation_quantizer_{self.rule.name}_{groups}{plain}{f'_stages{stages}' if stages else ''}"

    @property
    def _to_read(self) -> int:
        """Cycles from the last beat of a coarse group to reading its first: x', two maxima, scale and step, queues."""
        stages = self.config.pipeline.quantize
        scale = GroupMaxima.latency_of(self.rule, stages)
        return (SMOOTHING_STAGES if self.smoothing else 0) + scale + self._coder().step_latency

    def _coder(self) -> GroupCoder:
        return GroupCoder(self.rule, *self._sizes, self.config.pipeline.quantize)

    @property
    def _sizes(self) -> tuple[int, int, int]:
        """Numbers of a beat, beats of a fine group and of a coarse one."""
        config = self.config
        return config.rmc.lanes, config.groups.fine // config.rmc.lanes, config.beats

    @property
    def latency(self) -> int:
        """Cycles from taking the last beat of a coarse group to the offer of its first codes."""
        return self._to_read + self._coder().latency

    @property
    def depth(self) -> int:
        """Beats that the memory holds."""
        return self.config.beats + self._to_read

    def build(self) -> Module:
        m = Module()
        config, depth = self.config, self.depth
        taken = Signal()
        fetch = Signal()
        level = Signal(range(depth + 1))  # beats in the memory or on their way there
        m.d.sync += level.eq(level + taken - fetch)
        room = level != depth
        there = self.x.valid & self.multipliers.valid if self.smoothing else self.x.valid
        m.d.comb += [taken.eq(there & room), self.x.ready.eq(room)]
        if self.smoothing:  # taken together
            m.d.comb += [
                self.x.ready.eq(self.multipliers.valid & room),
                self.multipliers.ready.eq(self.x.valid & room),
            ]
        arrived, numbers = self._smoothed(m, taken)

        m.submodules.waiting = waiting = Memory(shape=self.x.p.shape(), depth=depth, init=[])
        write, read = waiting.write_port(), waiting.read_port()
        m.d.comb += [write.en.eq(arrived), write.data.eq(numbers), read.en.eq(fetch)]
        with m.If(arrived):
            m.d.sync += write.addr.eq(after(write.addr, depth))
        with m.If(fetch):
            m.d.sync += read.addr.eq(after(read.addr, depth))

        m.submodules.maxima = maxima = GroupMaxima(self.rule, *self._sizes, depth, config.pipeline.quantize)
        m.submodules.coder = coder = self._coder()
        m.d.comb += [
            maxima.there.eq(arrived),
            maxima.numbers.eq(numbers),
            fetch.eq(coder.fetch),
            coder.numbers.eq(read.data),
        ]
        connect(m, maxima.scales, coder.scales)
        if self.rule.number_bits:
            connect(m, maxima.peaks, coder.peaks)
        for name in ("codes", "values", "scale"):
            connect(m, getattr(coder, name), flipped(getattr(self, name)))
        return m

    def _smoothed(self, m: Module, taken: Value) -> tuple[Value, Value]:
        """x' of the beat that was taken, and when it is there."""
        number = self.rule.data
        if not self.smoothing:
            return taken, Value.cast(self.x.p)
        numbers = []
        for lane in range(self.config.rmc.lanes):
            unit = Multiply(number, number, number, stages=SMOOTHING_STAGES)
            m.submodules[f"smooth_{lane}"] = unit
            m.d.comb += [unit.a.eq(self.x.p[lane]), unit.b.eq(self.multipliers.p[lane])]
            numbers.append(unit.result)
        return delayed(m, "arrived", taken, SMOOTHING_STAGES)[-1], Cat(numbers)
