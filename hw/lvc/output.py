"""One lane of the sum of everything."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import FP32, NO_PIPELINE, FloatFormat, Pipeline
from sevedo.hw.float import Add, Convert, TwoPathAdd
from sevedo.hw.float.pipeline import later
from sevedo.hw.unit import Unit


class OutputLane(Unit):
    """One output: DATA((residual + low_rank) + bias), low_rank being a sum with one addition for each integer class.

    Timing: two additions and a conversion, before them an addition for each class, each with a register behind and
    those that `pipeline` puts inside; with `pipeline.add` operands wait in registers first. All move together in cycles
    with `enable`. With `direct`, which waits with the operands, the three take them as they are, without the classes:
    `latency`; `class_latency` more with them.
    Numerics: docs/numerics.md, the sum; each addition rounds to FP32.

    Parameters
    ----------
    number : format of bias and result
    classes : integer classes
    pipeline : registers inside

    Members
    -------
    residual, low_rank : In(32), FP32
    class_<i> : In(32), FP32: what is added to low_rank first, i ascending
    bias : In(number.width), with the residual
    direct : In(1), with classes
    enable : In(1)
    result : Out(number.width)
    """

    def __init__(self, number: FloatFormat, classes: int = 0, pipeline: Pipeline = NO_PIPELINE) -> None:
        self.pipeline = pipeline
        self.number = number
        self.classes = classes
        super().__init__(
            {
                "residual": In(FP32.width),
                "low_rank": In(FP32.width),
                **{f"class_{i}": In(FP32.width) for i in range(classes)},
                "bias": In(number.width),
                **({"direct": In(1)} if classes else {}),
                "enable": In(1),
                "result": Out(number.width),
            }
        )

    @property
    def module_name(self) -> str:
        return (
            f"output_lane_{self.number.name}{f'_{self.classes}' if self.classes else ''}{self.pipeline.tag}"
        )

    @property
    def latency(self) -> int:
        """Enabled cycles from operands to the result, without classes."""
        return self.entry_latency + 2 * (self.pipeline.add + 1) + self.pipeline.convert + 1

    @property
    def entry_latency(self) -> int:
        """Enabled cycles that operands wait."""
        return int(self.pipeline.add > 0)

    @property
    def class_latency(self) -> int:
        """Those that the additions of the classes take before."""
        return self.classes * (self.pipeline.add + 1)

    def _add(self, m: Module, name: str, a: Value, b: Value) -> Value:
        """A sum, its adder and the register behind."""
        stages = self.pipeline.add
        if self.pipeline.two_path and not stages:
            m.submodules[f"add_{name}"] = two_path = TwoPathAdd(FP32)
            m.d.comb += [two_path.a.eq(a), two_path.b.eq(b)]
            found = two_path.result
        else:
            m.submodules[f"add_{name}"] = add = Add(FP32, stages=stages, gated=bool(stages))
            m.d.comb += [add.a.eq(a), add.b.eq(b)]
            if stages:
                m.d.comb += add.enable.eq(self.enable)
            found = add.result
        return later(m, name, found, 1, self.enable)

    def build(self) -> Module:
        m = Module()
        cycles, convert = self.pipeline.add + 1, self.pipeline.convert
        m.submodules.widen = widen = Convert(self.number, FP32)
        m.submodules.round = final = Convert(FP32, self.number, stages=convert, gated=bool(convert))
        residual, low_rank, bias = self._with_classes(m)
        partial = self._add(m, "low_rank", residual, low_rank)
        # The bias is widened beside the first addition, in its last cycle.
        m.d.comb += widen.a.eq(later(m, "bias", bias, cycles - 1, self.enable))
        total = self._add(m, "bias", partial, later(m, "wide_bias", widen.result, 1, self.enable))
        m.d.comb += [final.a.eq(total), self.result.eq(later(m, "result", final.result, 1, self.enable))]
        if convert:
            m.d.comb += final.enable.eq(self.enable)
        return m

    def _with_classes(self, m: Module) -> tuple[Value, Value, Value]:
        """Residual, low-rank sum with those of the classes, and bias."""
        entering = {
            name: later(m, f"entering_{name}", getattr(self, name), self.entry_latency, self.enable)
            for name in ("residual", "low_rank", "bias", *(f"class_{i}" for i in range(self.classes)))
        }
        direct = entering["residual"], entering["low_rank"], entering["bias"]
        if not self.classes:
            return direct
        cycles = self.pipeline.add + 1
        low_rank = entering["low_rank"]
        others = [
            entering["residual"], entering["bias"], *(entering[f"class_{i}"] for i in range(self.classes)),
        ]  # fmt: skip
        for i in range(self.classes):
            low_rank = self._add(m, f"class_{i}", low_rank, others.pop(2))
            others = [
                later(m, f"later_{i}_{j}", other, cycles, self.enable) for j, other in enumerate(others)
            ]
        by = later(m, "entering_direct", self.direct, self.entry_latency, self.enable)
        return (
            Mux(by, direct[0], others[0]),
            Mux(by, direct[1], low_rank),
            Mux(by, direct[2], others[1]),
        )
