"""From numbers that wait and what is known of their groups to codes."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sevedo.hw.quantizer.code import ActivationCode
from sevedo.hw.quantizer.count import is_last
from sevedo.hw.quantizer.maxima import group_scale
from sevedo.hw.quantizer.rule import ActivationRule
from sevedo.hw.quantizer.step import ActivationStep
from sevedo.hw.unit import Unit


class GroupCoder(Unit):
    """Fetches beats of numbers and gives their codes. Two stages: numbers as read beside their step, then codes.

    Timing: a beat per cycle. `values` are offered the cycle after `fetch`, codes one later, the scale of a coarse group
    with its last codes. The three are independent: each may be taken a beat before the others.
    Numerics: exact (docs/numerics.md).

    Parameters
    ----------
    rule : how activations are quantized
    lanes : numbers of a beat
    per_fine, per_coarse : beats of a group

    Members
    -------
    scales : In(stream of group_scale(rule)), taken with the last beat of a coarse group
    peaks : In(stream of magnitudes), taken with the last beat of a fine group; absent without numbers of fine groups
    fetch : Out(1), the next beat is to be in `numbers` from the next cycle on, until the next fetch
    numbers : In(ArrayLayout(data format, lanes))
    codes : Out(stream of code_beats(rule, lanes))
    values : Out(stream of ArrayLayout(data format, lanes)), the numbers
    scale : Out(stream of a scale)
    """

    def __init__(self, rule: ActivationRule, lanes: int, per_fine: int, per_coarse: int) -> None:
        self.rule = rule
        self.lanes = lanes
        self.per_fine = per_fine
        self.per_coarse = per_coarse
        numbers = data.ArrayLayout(unsigned(rule.data.width), lanes)
        peaks = {"peaks": In(stream.Signature(unsigned(rule.peak_bits)))} if rule.number_bits else {}
        super().__init__(
            {"scales": In(stream.Signature(group_scale(rule)))}
            | peaks
            | {
                "fetch": Out(1),
                "numbers": In(numbers),
                "codes": Out(stream.Signature(code_beats(rule, lanes))),
                "values": Out(stream.Signature(numbers)),
                "scale": Out(stream.Signature(unsigned(rule.scale.width))),
            }
        )

    @property
    def module_name(self) -> str:
        return f"group_coder_{self.rule.name}_{self.per_fine}_{self.per_coarse}x{self.lanes}"

    def build(self) -> Module:
        m = Module()
        rule = self.rule
        # x' and codes leave the first stage when they can; it is free when both have.
        fetch, to_code, free, code_free, code_go = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            free.eq((~self.values.valid | self.values.ready) & (~to_code | code_free)),
            fetch.eq(self.scales.valid & free),
            self.fetch.eq(fetch),
            code_free.eq((~self.codes.valid | self.codes.ready) & (~self.scale.valid | self.scale.ready)),
            code_go.eq(to_code & code_free),
            self.values.p.eq(self.numbers),
        ]
        m.d.sync += [
            self.values.valid.eq(fetch | (self.values.valid & ~self.values.ready)),
            to_code.eq(fetch | (to_code & ~code_free)),
        ]

        m.submodules.step = step = ActivationStep(rule)
        last = is_last(m, "read", fetch, self.per_coarse)
        m.d.comb += [
            step.scale.eq(self.scales.p.scale),
            step.infinite.eq(self.scales.p.infinite),
            self.scales.ready.eq(fetch & last),
        ]
        if rule.number_bits:
            fine_last = is_last(m, "read_fine", fetch, self.per_fine)
            m.d.comb += [step.peak.eq(self.peaks.p), self.peaks.ready.eq(fetch & fine_last)]
        found = {"exponent": step.exponent, "thresholds": step.thresholds, "scale": step.scale, "last": last}
        if rule.number_bits:
            found["number"] = step.number
        held = {}
        for name, value in found.items():
            held[name] = Signal.like(value, name=f"held_{name}", reset_less=True)
            with m.If(fetch):
                m.d.sync += held[name].eq(value)

        with m.If(code_go):
            m.d.sync += self.scale.p.eq(held["scale"])
            if rule.number_bits:
                m.d.sync += self.codes.p.number.eq(held["number"])
        for lane in range(self.lanes):
            m.submodules[f"code_{lane}"] = code = ActivationCode(rule)
            m.d.comb += [
                code.x.eq(self.numbers[lane]),
                code.exponent.eq(held["exponent"]),
                code.thresholds.eq(held["thresholds"]),
            ]
            with m.If(code_go):
                m.d.sync += self.codes.p.codes[lane].eq(code.digits)
        m.d.sync += [
            self.codes.valid.eq(code_go | (self.codes.valid & ~self.codes.ready)),
            self.scale.valid.eq((code_go & held["last"]) | (self.scale.valid & ~self.scale.ready)),
        ]
        return m


def code_beats(rule: ActivationRule, lanes: int) -> data.StructLayout:
    """A beat of codes: digits of `lanes` codes, the low one first, and the number of their fine group, if any."""
    code = data.ArrayLayout(signed(rule.digit_bits), rule.digits)
    number = {"number": unsigned(rule.number_bits)} if rule.number_bits else {}
    return data.StructLayout({"codes": data.ArrayLayout(code, lanes)} | number)
