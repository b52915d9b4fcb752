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


MULTIPLIER_BITS = 18
"""Bits of an operand of a multiplier, of all families here at least 16; what is wider takes several of them."""


def _dot(unit: DotProduct) -> str:
    """A sum of products; of two lanes in one multiplier where its operands hold both codes.

    With B = 2^s the middle digit of (a0 + a1 B) (b1 + b0 B) is a0 b0 + a1 b1. Digits are signed: the lowest one, when it
    is negative, has borrowed one from the middle.
    """
    a, b = unit.a_shape, unit.b_shape
    products = [
        f"{_element('a', a, lane, unit.lanes)} * {_element('b', b, lane, unit.lanes)}"
        for lane in range(unit.lanes)
    ]
    # An unsigned code is one bit wider here, and a sum of two products one bit wider than a product.
    # The lower of two codes may borrow from the higher: one bit more.
    widths = [shape.width + (not shape.signed) for shape in (a, b)]
    stride = sum(widths) + 1
    if max(widths) + stride + 1 > MULTIPLIER_BITS:
        return "  assign sum =\n    " + "\n    + ".join(products) + ";\n"
    lines, terms = [], products[unit.lanes & ~1 :]
    for pair in range(unit.lanes // 2):
        first, second = 2 * pair, 2 * pair + 1
        operands = []
        for name, width, port, shape, lanes in (
            ("a", widths[0], "a", a, (first, second)), ("b", widths[1], "b", b, (second, first)),
        ):  # fmt: skip
            low, high = (_element(port, shape, lane, unit.lanes) for lane in lanes)
            lines.append(f"  wire signed [{width + stride}:0] {name}_{pair} = {low} + ({high} <<< {stride});")
            operands.append(f"{name}_{pair}")
        bits = sum(widths) + 2 * stride + 2
        lines.append(f"  wire signed [{bits - 1}:0] product_{pair} = {' * '.join(operands)};")
        middle = f"product_{pair}[{2 * stride - 1}:{stride}]"
        terms.append(f"$signed({middle}) + $signed({{1'b0, product_{pair}[{stride - 1}]}})")
    return "\n".join(lines) + "\n  assign sum =\n    " + "\n    + ".join(terms) + ";\n"


def _element(port: str, shape: Shape, lane: int, lanes: int) -> str:
    """A code of a vector, signed."""
    scalar = shape.width * lanes == 1  # a port of one bit takes no index
    bits = port if scalar else f"{port}[{(lane + 1) * shape.width - 1}:{lane * shape.width}]"
    return f"$signed({bits})" if shape.signed else f"$signed({{1'b0, {bits}}})"
