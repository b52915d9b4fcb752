"""Arithmetic as operators of Verilog: an FPGA has multipliers and carry chains, which its tools find only in these.

For standard cells products and sums are written as trees of full adders. Here the same units are written as what they
compute; the tests hold one form to the other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from amaranth.hdl import Shape

from sevedo.gen.verilog.emitter import EmittedModule
from sevedo.hw.float.product import ProductSum
from sevedo.hw.integer.dot import DotProduct
from sevedo.hw.rmc.accumulate import AccumulatorAdder
from sevedo.hw.unit import Unit


def with_operators(text: str, modules: Sequence[EmittedModule]) -> str:
    """Verilog in which every unit that has a form in operators has that."""
    for module in modules:
        body = operators(module.unit)
        if body is not None:
            pattern = rf"(^module {module.name} \(\n.*?^\);\n).*?^endmodule\n"
            text, count = re.subn(
                pattern,
                lambda match, body=body: f"{match.group(1)}{body}endmodule\n",  # type: ignore[misc]
                text,
                count=1,
                flags=re.MULTILINE | re.DOTALL,
            )
            if count != 1:
                raise ValueError(f"module {module.name} is not in the Verilog that it was emitted to")
    return text


def operators(unit: Unit) -> str | None:
    """What a unit computes, as statements over its ports; None for one that has no such form."""
    match unit:
        case DotProduct():
            return None if unit.carry_save or unit.operators else _dot(unit)
        case ProductSum():
            return _product(unit)
        case AccumulatorAdder():
            return unit.definition
    return None


def _product(unit: ProductSum) -> str:
    """A product, and what is added to it; with a register behind it where the unit has one inside."""
    below, addend = unit.parameters["below"], unit.parameters["has_addend"]
    value = f"((a * b) << {below})" if below else "a * b"
    value += " + addend" if addend else ""
    width = len(unit.sum)
    if not unit.latency:
        return f"  assign sum = {value};\n"
    return (
        f"  reg [{width - 1}:0] kept;\n  assign sum = kept;\n  always @(posedge clk)\n    kept <= {value};\n"
    )


def _dot(unit: DotProduct) -> str:
    products = [
        f"{_element('a', unit.a_shape, lane, unit.lanes)} * {_element('b', unit.b_shape, lane, unit.lanes)}"
        for lane in range(unit.lanes)
    ]
    return "  assign sum =\n    " + "\n    + ".join(products) + ";\n"


def _element(port: str, shape: Shape, lane: int, lanes: int) -> str:
    """A code of a vector, signed."""
    scalar = shape.width * lanes == 1  # a port of one bit takes no index
    bits = port if scalar else f"{port}[{(lane + 1) * shape.width - 1}:{lane * shape.width}]"
    return f"$signed({bits})" if shape.signed else f"$signed({{1'b0, {bits}}})"
