"""From numbers that wait and what is known of their groups to codes."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sevedo.hw.float.pipeline import delayed, later
from sevedo.hw.quantizer.code import ActivationCode
from sevedo.hw.quantizer.count import is_last
from sevedo.hw.quantizer.maxima import group_scale
from sevedo.hw.quantizer.rule import ActivationRule
from sevedo.hw.quantizer.step import ActivationStep
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit


class GroupCoder(Unit):
    """Fetches beats of numbers and gives their codes. Two stages: numbers as read beside their step, then codes; with
    `stages` there is one between them, numbers shifted beside their thresholds, and steps are made ahead.

    Timing: a beat per cycle. `values` are offered the cycle after `fetch`, codes `latency` cycles after it, the scale
    of a coarse group with its last codes. The three are independent: each may be taken a beat before the others.
    Numerics: exact (docs/numerics.md).

    Parameters
    ----------
    rule : how activations are quantized
    lanes : numbers of a beat
    per_fine, per_coarse : beats of a group
    stages : registers inside the step, 0 to 2

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

    def __init__(
        self, rule: ActivationRule, lanes: int, per_fine: int, per_coarse: int, stages: int = 0
    ) -> None:
        self.rule = rule
        self.stages = stages
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
        stages = f"_stages{self.stages}" if self.stages else ""
        return f"group_coder_{self.rule.name}_{self.per_fine}_{self.per_coarse}x{self.lanes}{stages}"

    @property
    def step_latency(self) -> int:
        """Cycles from the offer of a scale to the first `fetch` of its group."""
        return self.stages + StreamBuffer.LATENCY if self.stages else 0

    @property
    def latency(self) -> int:
        """Cycles from `fetch` to the offer of codes."""
        return 2 + self._code().latency

    def _code(self) -> ActivationCode:
        return ActivationCode(self.rule, int(self.stages > 0))

    def build(self) -> Module:
        m = Module()
        rule = self.rule
        # x' and codes leave the first stage when they can; it is free when both have.
        fetch = Signal()
        to_code = Signal()
        free = Signal()
        code_free = Signal()
        m.d.comb += [
            free.eq((~self.values.valid | self.values.ready) & (~to_code | code_free)),
            self.fetch.eq(fetch),
            self.values.p.eq(self.numbers),
        ]
        m.d.sync += [
            self.values.valid.eq(fetch | (self.values.valid & ~self.values.ready)),
            to_code.eq(fetch | (to_code & ~code_free)),
        ]
        there, found = self._steps(m, fetch)
        m.d.comb += fetch.eq(there & free)
        held = _kept(m, "held", found, fetch)
        thresholds = held["thresholds"]
        out_free = Signal()
        m.d.comb += out_free.eq(
            (~self.codes.valid | self.codes.ready) & (~self.scale.valid | self.scale.ready)
        )
        moved = to_code & code_free
        code_go: Value = moved
        if self.stages:  # numbers shifted beside their thresholds, then codes
            in_code = Signal()
            m.d.sync += in_code.eq(moved | (in_code & ~out_free))
            m.d.comb += code_free.eq(~in_code | out_free)
            kept = _kept(m, "shifted", held, moved)
            thresholds, code_go = kept["thresholds"], in_code & out_free
        else:
            m.d.comb += code_free.eq(out_free)
            kept = held

        with m.If(code_go):
            m.d.sync += self.scale.p.eq(kept["scale"])
            if rule.number_bits:
                m.d.sync += self.codes.p.number.eq(kept["number"])
        for lane in range(self.lanes):
            m.submodules[f"code_{lane}"] = code = self._code()
            m.d.comb += [
                code.x.eq(self.numbers[lane]),
                code.exponent.eq(held["exponent"]),
                code.thresholds.eq(thresholds),
            ]
            if self.stages:
                m.d.comb += code.enable.eq(moved)
            with m.If(code_go):
                m.d.sync += self.codes.p.codes[lane].eq(code.digits)
        m.d.sync += [
            self.codes.valid.eq(code_go | (self.codes.valid & ~self.codes.ready)),
            self.scale.valid.eq((code_go & kept["last"]) | (self.scale.valid & ~self.scale.ready)),
        ]
        return m

    def _steps(self, m: Module, fetch: Value) -> tuple[Value, dict[str, Value]]:
        """Whether the step of the next beat is there, and that step; taken with `fetch`."""
        rule = self.rule
        m.submodules.step = step = ActivationStep(rule, self.stages)
        last = is_last(m, "read", fetch, self.per_coarse)
        fine_last = is_last(m, "read_fine", fetch, self.per_fine) if rule.number_bits else last
        m.d.comb += [step.scale.eq(self.scales.p.scale), step.infinite.eq(self.scales.p.infinite)]
        made = {"exponent": step.exponent, "thresholds": Value.cast(step.thresholds)}
        if rule.number_bits:
            m.d.comb += step.peak.eq(self.peaks.p)
            made["number"] = step.number
        if not self.stages:
            m.d.comb += self.scales.ready.eq(fetch & last)
            if rule.number_bits:
                m.d.comb += self.peaks.ready.eq(fetch & fine_last)
            return self.scales.valid, made | {"scale": step.scale, "last": last}

        # Steps are made ahead of their beats and wait in a queue that has a place for each of them.
        places = self.stages + 2
        made["scale"] = later(m, "scale", self.scales.p.scale, self.stages)
        queue = StreamBuffer(
            data.StructLayout({name: unsigned(len(value)) for name, value in made.items()}), places
        )
        m.submodules.steps = queue
        issue = Signal()
        taken = fetch & fine_last
        room = Signal(range(places + 1), init=places)
        ready = self.scales.valid & (self.peaks.valid if rule.number_bits else 1)
        m.d.comb += issue.eq(ready & (room != 0))
        m.d.sync += room.eq(room - issue + taken)
        if rule.number_bits:
            groups = self.per_coarse // self.per_fine
            m.d.comb += [
                self.peaks.ready.eq(issue),
                self.scales.ready.eq(issue & is_last(m, "step", issue, groups)),
            ]
        else:
            m.d.comb += self.scales.ready.eq(issue)
        m.d.comb += [
            queue.i.valid.eq(delayed(m, "step_valid", issue, self.stages)[-1]),
            *(queue.i.p[name].eq(value) for name, value in made.items()),
            queue.o.ready.eq(taken),
        ]
        found = {name: queue.o.p[name] for name in made}
        found["exponent"] = found["exponent"].as_signed()
        return queue.o.valid, found | {"last": last}


def _kept(m: Module, name: str, values: dict[str, Value], go: Value) -> dict[str, Value]:
    """Registers of values, taken with `go`."""
    kept: dict[str, Value] = {}
    for key, value in values.items():
        register = Signal(Value.cast(value).shape(), name=f"{name}_{key}", reset_less=True)
        with m.If(go):
            m.d.sync += register.eq(value)
        kept[key] = register
    return kept


def code_beats(rule: ActivationRule, lanes: int) -> data.StructLayout:
    """A beat of codes: digits of `lanes` codes, the low one first, and the number of their fine group, if any."""
    code = data.ArrayLayout(signed(rule.digit_bits), rule.digits)
    number = {"number": unsigned(rule.number_bits)} if rule.number_bits else {}
    return data.StructLayout({"codes": data.ArrayLayout(code, lanes)} | number)
