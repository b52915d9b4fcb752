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
            if unit.carry_save or unit.operators:
                return None
            return _dot(unit)
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

    With B = 2^s the middle digit of (a1 B + a0) (b0 B + b1) is a0 b0 + a1 b1. The lower codes a0 and b1 are made
    unsigned, by an offset, so that operands are written side by side and the lowest digit never borrows; what the
    offsets add is taken off again. A register, where there is one, is behind the multipliers.
    """
    a, b = unit.a_shape, unit.b_shape
    paired = (
        unit.lanes // 2 if a.signed and b.signed and 2 * max(a.width, b.width) < MULTIPLIER_BITS // 2 else 0
    )
    stride = a.width + b.width + 1
    lines: list[str] = []
    terms: list[str] = []

    def term(value: str, bits: int) -> None:
        name = f"term_{len(terms)}"
        terms.append(name)
        if unit.registered:
            lines.append(
                f"  reg signed [{bits - 1}:0] {name};\n  always @(posedge clk)\n    {name} <= {value};"
            )
        else:
            lines.append(f"  wire signed [{bits - 1}:0] {name} = {value};")

    for pair in range(paired):
        for port, shape, high, low in (("a", a, 2 * pair + 1, 2 * pair), ("b", b, 2 * pair, 2 * pair + 1)):
            between, offset = stride - shape.width, 1 << (shape.width - 1)
            lines.append(
                f"  wire signed [{stride + shape.width - 1}:0] {port}_{pair} = {{{_bits(port, shape, high)}, "
                f"{between}'d0, {_bits(port, shape, low)} ^ {shape.width}'d{offset}}};"
            )
        lines.append(f"  wire signed [{3 * stride - 2}:0] product_{pair} = a_{pair} * b_{pair};")
        term(f"product_{pair}[{2 * stride - 1}:{stride}]", stride)
    if paired:
        codes = [_element("a", a, 2 * pair + 1, unit.lanes) for pair in range(paired)]
        others = [_element("b", b, 2 * pair, unit.lanes) for pair in range(paired)]
        value = f"-((({' + '.join(codes)}) <<< {b.width - 1}) + (({' + '.join(others)}) <<< {a.width - 1}))"
        term(value, unit.sum_bits)
    for lane in range(2 * paired, unit.lanes):
        product = f"{_element('a', a, lane, unit.lanes)} * {_element('b', b, lane, unit.lanes)}"
        term(product, a.width + b.width + (not a.signed) + (not b.signed))
    return "\n".join(lines) + "\n  assign sum = " + " + ".join(terms) + ";\n"


def _bits(port: str, shape: Shape, lane: int) -> str:
    """A code of a vector, as bits."""
    return f"{port}[{(lane + 1) * shape.width - 1}:{lane * shape.width}]"


def _element(port: str, shape: Shape, lane: int, lanes: int) -> str:
    """A code of a vector, signed."""
    scalar = shape.width * lanes == 1  # a port of one bit takes no index
    bits = port if scalar else f"{port}[{(lane + 1) * shape.width - 1}:{lane * shape.width}]"
    return f"$signed({bits})" if shape.signed else f"$signed({{1'b0, {bits}}})"
