"""The exact dot product of two short vectors of codes."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit

from .compress import BitHeap

MAX_LANES = 1024
NAND, AND = 0.06, 0.15
"""Arrival of a partial product that is complemented, and of one that is not (see tree.py)."""


class DotProduct(Unit):
    """Exact dot product of two vectors of codes: all partial products in one carry-save tree and one addition.

    Two's complement is handled as by Baugh and Wooley (A two's complement parallel array multiplication algorithm,
    IEEE Trans. Computers 22(12), 1973): a partial product of negative weight enters complemented, and the constants
    that this takes are summed over all lanes beforehand.

    Timing: combinational; with `registered` a register before the last addition, see `latency`.
    Numerics: exact; the sum has the fewest bits that hold it for every input, so it cannot overflow.

    Parameters
    ----------
    lanes : number of products, 1 to 1024
    a_bits, b_bits : width of each code, 2 to 8 (1 too when unsigned)
    a_signed, b_signed : whether the codes are two's complement
    carry_save : leave out the last addition
    operators : write products and sums instead of the tree, for tools that know better: FPGAs have carry chains, and
        compiled simulation is many times faster. The function is the same (proved: tests/formal).
    registered : see above

    Members
    -------
    a : In(ArrayLayout(signed(a_bits), lanes)), or of unsigned
    b : In(ArrayLayout(signed(b_bits), lanes)), or of unsigned
    sum : Out(signed(sum_bits)): sum of ``a[i] * b[i]``; absent with `carry_save`
    rows : Out(ArrayLayout(unsigned(sum_bits), 2)): the sum is ``rows[0] + rows[1]`` modulo 2^sum_bits; only with
        `carry_save`

    Raises
    ------
    ValueError : when a parameter is out of its range.
    """

    def __init__(
        self,
        lanes: int,
        a_bits: int,
        b_bits: int,
        a_signed: bool = True,
        b_signed: bool = True,
        carry_save: bool = False,
        operators: bool = False,
        registered: bool = False,
    ) -> None:
        if not 1 <= lanes <= MAX_LANES:
            raise ValueError(f"lanes={lanes} must be between 1 and {MAX_LANES}")
        for name, bits, is_signed in ("a_bits", a_bits, a_signed), ("b_bits", b_bits, b_signed):
            least = 2 if is_signed else 1
            if not least <= bits <= 8:
                kind = "signed" if is_signed else "unsigned"
                raise ValueError(f"{name}={bits} must be between {least} and 8 for {kind} codes")
        if carry_save and operators:
            raise ValueError("operators=True must come without carry_save: it has no rows")
        if registered and carry_save:
            raise ValueError("registered=True must come without carry_save: it has no last addition")
        self.lanes = lanes
        self.operators = operators
        self.registered = registered
        self.a_shape = Shape(a_bits, a_signed)
        self.b_shape = Shape(b_bits, b_signed)
        self.carry_save = carry_save
        out = Out(data.ArrayLayout(self.sum_bits, 2)) if carry_save else Out(signed(self.sum_bits))
        super().__init__(
            {
                "a": In(data.ArrayLayout(self.a_shape, lanes)),
                "b": In(data.ArrayLayout(self.b_shape, lanes)),
                "rows" if carry_save else "sum": out,
            }
        )

    @property
    def sum_range(self) -> tuple[int, int]:
        """Smallest and largest sum."""
        corners = [x * y for x in _ends(self.a_shape) for y in _ends(self.b_shape)]
        return self.lanes * min(corners), self.lanes * max(corners)

    @property
    def sum_bits(self) -> int:
        """Bits of the sum, two's complement: the fewest that hold `sum_range`."""
        low, high = self.sum_range
        return max(high.bit_length(), (~low).bit_length() if low < 0 else 0) + 1

    @property
    def latency(self) -> int:
        """Cycles from operands to sum."""
        return int(self.registered)

    @property
    def module_name(self) -> str:
        codes = "_".join(f"{'s' if s.signed else 'u'}{s.width}" for s in (self.a_shape, self.b_shape))
        form = "_rows" if self.carry_save else "_operators" if self.operators else ""
        return f"dot_product_{self.lanes}_{codes}{form}{'_registered' if self.registered else ''}"

    @property
    def definition(self) -> str | None:
        """Sum of products, as Verilog: of whole numbers with several codes in each where these are of one kind."""
        if self.carry_save:
            return None
        return registered(self._definition(), self.sum_bits) if self.registered else self._definition()

    def _definition(self) -> str:
        if self.a_shape == self.b_shape and self._stride:
            return self._convolution(self._stride)

        def element(port: str, shape: Shape, lane: int) -> str:
            scalar = shape.width * self.lanes == 1  # a port of one bit takes no index
            bits = port if scalar else f"{port}[{(lane + 1) * shape.width - 1}:{lane * shape.width}]"
            return f"$signed({bits})" if shape.signed else f"$signed({{1'b0, {bits}}})"

        products = [
            f"{element('a', self.a_shape, lane)} * {element('b', self.b_shape, lane)}"
            for lane in range(self.lanes)
        ]
        return "  assign sum =\n    " + "\n    + ".join(products) + ";\n"

    @property
    def _stride(self) -> int:
        """Bits from code to code in `_convolution`; 0 when it is not to be used."""
        bits = self.a_shape.width
        low, high = self.sum_range
        enough = max(high, -low).bit_length() + 1
        return next((s for s in (16, 32) if s >= enough and s % bits == 0 and self.lanes > 1), 0)

    def _convolution(self, stride: int) -> str:
        """The sum as Verilog that takes few operations of 64 bits.

        The product of two polynomials has the sum of the products of their coefficients, those of one in reverse
        order, as a coefficient. Here every 64 bits of codes are `stride / bits` polynomials in ``2**stride``, and that
        coefficient is on top. The half under it rounds away what negative coefficients below borrow.
        """
        bits, per = self.a_shape.width, 64 // stride
        mask = sum(((1 << bits) - 1) << stride * i for i in range(per))
        sign = sum(1 << (stride * i + bits - 1) for i in range(per)) if self.a_shape.signed else 0
        every = sum(sign << shift for shift in range(0, stride, bits))
        width = self.lanes * bits
        lines, terms = [], []
        for index, start in enumerate(range(0, width, 64)):
            size = min(64, width - start)

            def field(port: str, place: int, start: int = start, size: int = size) -> str:
                low = place * stride
                if low >= size:
                    return f"{stride}'d0"
                high = min(low + stride, size) - 1
                pad = stride - (high + 1 - low)
                text = f"{port}[{start + high}:{start + low}]"
                return f"{{{pad}'d0, {text}}}" if pad else text

            for port, places in (("a", reversed(range(per))), ("b", range(per))):
                fields = ", ".join(field(port, place) for place in places)
                fields = f"{port}[{start + 63}:{start}]" if port == "a" and size == 64 else f"{{{fields}}}"
                flip = f" ^ 64'h{every:016x}" if sign else ""
                lines.append(f"  wire [63:0] {port}_{index} = {fields}{flip};\n")
            less = f" - 64'h{sign:016x}" if sign else ""
            for shift in range(0, stride, bits):
                factors = [f"(({port}_{index} >> {shift} & 64'h{mask:016x}){less})" for port in "ab"]
                terms.append(" * ".join(factors))
        half = f"64'h{1 << (64 - stride - 1):016x}"
        lines.append(f"  wire [63:0] total = {half}\n    + " + "\n    + ".join(terms) + ";\n")
        return "".join(lines) + f"  assign sum = total[{64 - stride + self.sum_bits - 1}:{64 - stride}];\n"

    def build(self) -> Module:
        m = Module()
        if self.operators:
            total = sum(self.a[lane] * self.b[lane] for lane in range(self.lanes))
            now = Signal(signed(self.sum_bits), reset_less=True)
            if self.registered:
                m.d.sync += now.eq(total)
            else:
                m.d.comb += now.eq(total)
            m.d.comb += self.sum.eq(now)
            return m
        signs = [
            (i, j, _is_negative(self.a_shape, i) != _is_negative(self.b_shape, j))
            for i in range(self.a_shape.width)
            for j in range(self.b_shape.width)
        ]
        heap = BitHeap(self.sum_bits, inverted=2 * sum(negative for *_, negative in signs) < len(signs))
        for lane in range(self.lanes):
            a, b = Value.cast(self.a[lane]), Value.cast(self.b[lane])
            partial = [Signal(len(a), name=f"partial_{lane}_{j}") for j in range(len(b))]
            m.d.comb += [row.eq(a & bit.replicate(len(a))) for row, bit in zip(partial, b, strict=True)]
            for i, j, negative in signs:
                heap.add(partial[j][i], i + j, negative, NAND if negative != heap.inverted else AND)
        if self.carry_save:
            m.d.comb += [
                Value.cast(row).eq(value) for row, value in zip(self.rows, heap.rows(m), strict=True)
            ]
        elif self.registered:
            kept = [Signal(self.sum_bits, name=f"row_{index}", reset_less=True) for index in range(2)]
            m.d.sync += [to.eq(row) for to, row in zip(kept, heap.rows(m), strict=True)]
            m.d.comb += self.sum.eq(kept[0] + kept[1])
        else:
            m.d.comb += self.sum.eq(heap.sum(m))
        return m


def registered(statements: str, width: int) -> str:
    """Verilog that assigns `sum`, made to show it a cycle later."""
    now = statements.replace("  assign sum =", f"  wire [{width - 1}:0] now =")
    return (
        f"{now}  reg [{width - 1}:0] kept;\n  assign sum = kept;\n  always @(posedge clk)\n    kept <= now;\n"
    )


def _ends(shape: Shape) -> tuple[int, int]:
    """Smallest and largest number of a shape."""
    return (
        (-1 << (shape.width - 1), (1 << (shape.width - 1)) - 1)
        if shape.signed
        else (0, (1 << shape.width) - 1)
    )


def _is_negative(shape: Shape, bit: int) -> bool:
    return shape.signed and bit == shape.width - 1
