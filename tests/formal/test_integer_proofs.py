"""Proofs of the integer datapath, for all inputs at small sizes (SymbiYosys, `make formal`)."""

import pytest
from prover import prove

from sevedo.hw.integer.dot import DotProduct
from sevedo.hw.rmc.pe import ProcessingElement

pytestmark = pytest.mark.formal


def codes(name: str, lane: int, bits: int, is_signed: bool) -> str:
    """A code of a packed port as a signed Verilog expression."""
    part = f"{name}[{bits * lane} +: {bits}]"
    return f"$signed({part})" if is_signed else f"$signed({{1'b0, {part}}})"


def definition(unit: DotProduct, offset: int = 0) -> str:
    """A module that asserts that `unit` is the sum of products (plus `offset`, a fault)."""
    a, b = unit.a_shape, unit.b_shape
    terms = " + ".join(
        f"{codes('a', i, a.width, a.signed)} * {codes('b', i, b.width, b.signed)}" for i in range(unit.lanes)
    )
    if unit.carry_save:
        outputs = f"wire [{2 * unit.sum_bits - 1}:0] rows;"
        port = ".rows(rows)"
        got = f"$signed(rows[0 +: {unit.sum_bits}] + rows[{unit.sum_bits} +: {unit.sum_bits}])"
    else:
        outputs, port, got = "", ".sum(sum)", "sum"
    return f"""module top(input [{unit.lanes * a.width - 1}:0] a, input [{unit.lanes * b.width - 1}:0] b);
  wire signed [{unit.sum_bits - 1}:0] sum;
  {outputs}
  {unit.module_name} unit(.a(a), .b(b), {port});
  wire signed [{unit.sum_bits + 7}:0] want = {terms} + {offset};
  wire signed [{unit.sum_bits - 1}:0] got = {got};
  always @* assert(got == want);
endmodule
"""


@pytest.mark.parametrize(
    "unit",
    [
        DotProduct(2, 4, 4),
        DotProduct(2, 4, 4, carry_save=True),
        DotProduct(2, 4, 4, operators=True),
        DotProduct(3, 3, 3),
        DotProduct(2, 4, 3, True, False),
        DotProduct(2, 3, 4, False, False),
    ],
    ids=lambda unit: unit.module_name,
)
def test_dot_product_is_its_definition(tmp_path, unit):
    assert prove(tmp_path, unit, definition(unit), 1)


def test_a_wrong_definition_is_refuted(tmp_path):
    unit = DotProduct(2, 3, 3)
    assert not prove(tmp_path, unit, definition(unit, offset=1), 1)


def coarse_group(
    pe_shape: tuple[int, int, int, int, int], beats: int, bits: int
) -> tuple[ProcessingElement, str]:
    """A PE with an accumulator of `bits`, and one coarse group through it against an exact sum of 32 bits."""
    lanes, x_bits, w_bits, x_shift, w_shift = pe_shape
    unit = ProcessingElement(*pe_shape, bits)
    terms = " + ".join(f"{codes('x', i, x_bits, True)} * {codes('w', i, w_bits, True)}" for i in range(lanes))
    most = (1 << x_shift) - 1 + (1 << w_shift) - 1
    return (
        unit,
        f"""module top(input clk, input [{lanes * x_bits - 1}:0] x, input [{lanes * w_bits - 1}:0] w,
           input [{x_shift - 1}:0] kx, input [{w_shift - 1}:0] kw, input [{bits - 1}:0] other);
  reg [7:0] step = 0;
  reg signed [31:0] exact = 0;
  wire [{bits - 1}:0] out;
  wire signed [31:0] product = {terms};
  wire take = step < {beats};
  {unit.module_name} unit(.clk(clk), .x_codes(x), .w_codes(w), .x_shift(kx), .w_shift(kw), .product_enable(take),
    .first(step == 1), .capture(step == {beats + 1}), .drain_in(other), .drain_out(out));
  always @(posedge clk) begin
    step <= step + 1;
    if (take) exact <= exact + (product <<< ({most} - kx - kw));
    if (step == {beats + 2}) assert($signed(out) == exact);
  end
endmodule
""",
    )


def test_accumulator_cannot_overflow_in_a_coarse_group(tmp_path):
    shape, beats = (1, 2, 3, 1, 1), 3
    bits = ((beats << 2 + 3 - 2) << 2).bit_length() + 1
    unit, text = coarse_group(shape, beats, bits)
    assert prove(tmp_path, unit, text, beats + 4)


def test_a_narrower_accumulator_is_refuted(tmp_path):
    shape, beats = (1, 2, 3, 1, 1), 4
    bits = ((beats << 2 + 3 - 2) << 2).bit_length() + 1
    unit, text = coarse_group(shape, beats, bits - 1)
    assert not prove(tmp_path, unit, text, beats + 4)
