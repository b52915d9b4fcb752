"""One lane of the sum of everything."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import FP32, FloatFormat
from sevedo.hw.float import Add, Convert
from sevedo.hw.unit import Unit


class OutputLane(Unit):
    """One output: DATA((residual + low_rank) + bias), low_rank being a sum with one addition for each integer class.

    Timing: three stages (two additions, a conversion), before them one for each class, which all move together in
    cycles with `enable`. With `direct` the three take the operands themselves, without the classes.
    Numerics: docs/numerics.md, the sum; each addition rounds to FP32.

    Parameters
    ----------
    number : format of bias and result
    classes : integer classes

    Members
    -------
    residual, low_rank : In(32), FP32
    class_<i> : In(32), FP32: what is added to low_rank first, i ascending
    bias : In(number.width), with the residual
    direct : In(1), with classes
    enable : In(1)
    result : Out(number.width)
    """

    latency = 3

    def __init__(self, number: FloatFormat, classes: int = 0) -> None:
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
        return f"output_lane_{self.number.name}{f'_{self.classes}' if self.classes else ''}"

    def build(self) -> Module:
        m = Module()
        m.submodules.add_low_rank = first = Add(FP32)
        m.submodules.add_bias = second = Add(FP32)
        m.submodules.widen = widen = Convert(self.number, FP32)
        m.submodules.round = final = Convert(FP32, self.number)
        residual, low_rank, late = self._with_classes(m)
        partial = Signal(FP32.width, reset_less=True)
        bias = Signal(self.number.width, reset_less=True)
        total = Signal(FP32.width, reset_less=True)
        result = Signal(self.number.width, reset_less=True)
        m.d.comb += [
            first.a.eq(residual),
            first.b.eq(low_rank),
            widen.a.eq(bias),
            second.a.eq(partial),
            second.b.eq(widen.result),
            final.a.eq(total),
            self.result.eq(result),
        ]
        with m.If(self.enable):
            m.d.sync += [
                partial.eq(first.result),
                bias.eq(late),
                total.eq(second.result),
                result.eq(final.result),
            ]
        return m

    def _with_classes(self, m: Module) -> tuple[Value, Value, Value]:
        """Residual, low-rank sum with those of the classes, and bias: a stage for each class."""
        if not self.classes:
            return self.residual, self.low_rank, self.bias
        low_rank: Value = self.low_rank
        others = [self.residual, self.bias, *(getattr(self, f"class_{i}") for i in range(self.classes))]
        for i in range(self.classes):
            m.submodules[f"add_class_{i}"] = add = Add(FP32)
            m.d.comb += [add.a.eq(low_rank), add.b.eq(others.pop(2))]
            low_rank = Signal(FP32.width, name=f"low_rank_{i}", reset_less=True)
            later = [
                Signal.like(other, name=f"later_{i}_{j}", reset_less=True) for j, other in enumerate(others)
            ]
            with m.If(self.enable):
                m.d.sync += [low_rank.eq(add.result), *(a.eq(b) for a, b in zip(later, others, strict=True))]
            others = list(later)
        return (
            Mux(self.direct, self.residual, others[0]),
            Mux(self.direct, self.low_rank, low_rank),
            Mux(self.direct, self.bias, others[1]),
        )
