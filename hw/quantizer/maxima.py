"""What is known of groups once their last number is there: maxima of fine groups, scales of coarse ones."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.hw.float.pipeline import delayed, later
from sevedo.hw.quantizer.count import is_last
from sevedo.hw.quantizer.largest import Largest
from sevedo.hw.quantizer.rule import ActivationRule
from sevedo.hw.quantizer.scale import GroupScale
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit


class GroupMaxima(Unit):
    """Follows the beats of rows and queues the scale of every coarse group and the largest magnitude of every fine one.

    Timing: a beat per cycle, no back pressure: the queues have room for all groups that `depth` beats can be of. The
    scale of a group is offered `latency` cycles after its last beat, the maxima of its fine groups before.
    Numerics: exact (docs/numerics.md).

    Parameters
    ----------
    rule : how activations are quantized
    lanes : numbers of a beat
    per_fine, per_coarse : beats of a group
    depth : beats whose groups may be here
    stages : further registers of the scale, 0 to 2; with any, one more halfway to the largest of a beat

    Members
    -------
    there : In(1), `numbers` are a beat
    numbers : In(ArrayLayout(data format, lanes)), x'
    scales : Out(stream of `group_scale`)
    peaks : Out(stream of magnitudes); absent where fine groups have no numbers
    """

    def __init__(
        self, rule: ActivationRule, lanes: int, per_fine: int, per_coarse: int, depth: int, stages: int = 0
    ) -> None:
        self.rule = rule
        self.stages = stages
        self.lanes = lanes
        self.per_fine = per_fine
        self.per_coarse = per_coarse
        self.depth = depth
        peaks = {"peaks": Out(stream.Signature(unsigned(rule.peak_bits)))} if rule.number_bits else {}
        super().__init__(
            {
                "there": In(1),
                "numbers": In(data.ArrayLayout(unsigned(rule.data.width), lanes)),
                "scales": Out(stream.Signature(group_scale(rule))),
            }
            | peaks
        )

    @property
    def module_name(self) -> str:
        stages = f"_stages{self.stages}" if self.stages else ""
        return f"group_maxima_{self.rule.name}_{self.per_fine}_{self.per_coarse}_d{self.depth}x{self.lanes}{stages}"

    @property
    def latency(self) -> int:
        """Cycles from the last beat of a coarse group to the offer of its scale."""
        return self.latency_of(self.rule, self.stages)

    @staticmethod
    def latency_of(rule: ActivationRule, stages: int) -> int:
        """The same, of any `depth`."""
        return bool(stages) + 2 + GroupScale(rule, stages).latency + StreamBuffer.LATENCY

    def build(self) -> Module:
        m = Module()
        rule = self.rule
        m.submodules.largest = largest = Largest(rule.peak_bits, self.lanes, bool(self.stages))
        for lane in range(self.lanes):
            m.d.comb += largest.numbers[lane].eq(self.numbers[lane][: rule.peak_bits])
        there = Signal()
        peak = Signal(rule.peak_bits, reset_less=True)
        found = [self.there, *delayed(m, "found", self.there, largest.latency)][-1]
        m.d.sync += there.eq(found)
        with m.If(found):
            m.d.sync += peak.eq(largest.result)

        group_peak, ended = _running(m, "coarse", there, peak, self.per_coarse)
        known = Signal()
        whole = Signal(rule.peak_bits, reset_less=True)
        m.d.sync += known.eq(ended)
        with m.If(ended):
            m.d.sync += whole.eq(group_peak)
        m.submodules.group_scale = scale = GroupScale(rule, self.stages)
        made = Signal(scale.latency)
        m.d.sync += made.eq(Cat(known, made))
        infinite = later(m, "infinite", whole == rule.data.infinity(False), scale.latency)
        m.submodules.known_scales = scales = StreamBuffer(group_scale(rule), self._places(self.per_coarse))
        m.d.comb += [
            scale.peak.eq(whole),
            scales.i.valid.eq(made[-1]),
            scales.i.p.scale.eq(scale.scale),
            scales.i.p.infinite.eq(infinite),
        ]
        connect(m, scales.o, flipped(self.scales))
        if rule.number_bits:
            m.submodules.known_peaks = peaks = StreamBuffer(
                unsigned(rule.peak_bits), self._places(self.per_fine)
            )
            fine_peak, fine_ended = _running(m, "fine", there, peak, self.per_fine)
            m.d.comb += [peaks.i.valid.eq(fine_ended), peaks.i.p.eq(fine_peak)]
            connect(m, peaks.o, flipped(self.peaks))
        return m

    def _places(self, beats: int) -> int:
        """Groups of some beats that `depth` beats can be of, one of them being read."""
        return max(2, 1 + (self.depth - 1) // beats)


def group_scale(rule: ActivationRule) -> data.StructLayout:
    """The scale of a coarse group, and whether its largest magnitude is infinity."""
    return data.StructLayout({"scale": unsigned(rule.scale.width), "infinite": unsigned(1)})


def _running(m: Module, name: str, there: Value, number: Value, count: int) -> tuple[Value, Value]:
    """The largest of `count` numbers that come one by one, and when it is known."""
    if count == 1:
        return number, there
    before = Signal(len(number), name=f"{name}_before")
    now = Signal(len(number), name=f"{name}_now")
    last = is_last(m, name, there, count)
    m.d.comb += now.eq(Mux(before < number, number, before))
    with m.If(there):
        m.d.sync += before.eq(Mux(last, 0, now))
    return now, there & last
