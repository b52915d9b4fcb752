"""Proofs of the integer datapath, for all inputs at small sizes (SymbiYosys, `make formal`)."""

import pytest
from prover import prove

from sevedo.gen.config import FineLevel
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


SHIFT, INTEGER = FineLevel.SHIFT, FineLevel.INTEGER


def coarse_group(
    level: FineLevel, pe_shape: tuple[int, int, int, int, int], beats: int, bits: int, passes: int = 1
) -> tuple[ProcessingElement, str]:
    """A PE with an accumulator of `bits`, and one coarse group through it against an exact sum of 32 bits.

    The numbers of the fine groups are those of one group throughout, any; with passes, so are the digits of every beat.
    """
    lanes, x_bits, w_bits, x_fine, w_fine = pe_shape
    unit = ProcessingElement(
        lanes, x_bits, w_bits, level, x_fine, w_fine, bits, digit_bits=x_bits if passes > 1 else 0
    )
    terms = " + ".join(f"{codes('x', i, x_bits, True)} * {codes('w', i, w_bits, True)}" for i in range(lanes))
    most = level.places(x_fine) + level.places(w_fine)
    dequantized = (
        f"product <<< ({most} - kx - kw)"
        if level is SHIFT
        else "product * $signed({1'b0, kx}) * $signed({1'b0, kw})"
    )
    places = {1: "0", 4: f"step < {beats} ? {2 * x_bits} : step < {3 * beats} ? {x_bits} : 0"}[passes]
    promote = f".promote(step == {beats + 1} | step == {3 * beats + 1}), " if passes > 1 else ""
    last = beats * passes
    return (
        unit,
        f"""module top(input clk, input [{lanes * x_bits - 1}:0] x, input [{lanes * w_bits - 1}:0] w,
           input [{x_fine - 1}:0] kx, input [{w_fine - 1}:0] kw, input [{bits - 1}:0] other);
  reg [7:0] step = 0;
  reg signed [31:0] exact = 0;
  wire [{bits - 1}:0] out;
  wire signed [31:0] product = {terms};
  wire signed [31:0] dequantized = {dequantized};
  wire [7:0] places = {places};
  wire take = step < {last};
  {unit.module_name} unit(.clk(clk), .x_codes(x), .w_codes(w), .x_fine(kx), .w_fine(kw), .product_enable(take),
    .first(step == 1), {promote}.capture(step == {last + 1}), .drain_in(other), .drain_out(out));
  always @(posedge clk) begin
    step <= step + 1;
    if (take) exact <= exact + (dequantized <<< places);
    if (step == {last + 2}) assert($signed(out) == exact);
  end
endmodule
""",
    )


def largest(level: FineLevel, shape: tuple[int, int, int, int, int], beats: int, passes: int) -> int:
    """Bits of an accumulator for a coarse group."""
    lanes, x_bits, w_bits, x_fine, w_fine = shape
    digits = {1: 1, 4: (1 + (1 << x_bits)) ** 2}[passes]
    factor = level.largest_factor(x_fine) * level.largest_factor(w_fine)
    return (beats * lanes * digits * factor << x_bits + w_bits - 2).bit_length() + 1


CASES = [
    (SHIFT, (1, 2, 3, 1, 1), 3, 1),
    (INTEGER, (1, 2, 3, 1, 2), 2, 1),
    (SHIFT, (1, 2, 2, 1, 1), 1, 4),
]


@pytest.mark.parametrize(("level", "shape", "beats", "passes"), CASES)
def test_accumulator_cannot_overflow_in_a_coarse_group(tmp_path, level, shape, beats, passes):
    unit, text = coarse_group(level, shape, beats, largest(level, shape, beats, passes), passes)
    assert prove(tmp_path, unit, text, beats * passes + 4)


@pytest.mark.parametrize(("level", "shape", "beats", "passes"), [(SHIFT, (1, 2, 3, 1, 1), 4, 1), *CASES[1:]])
def test_a_narrower_accumulator_is_refuted(tmp_path, level, shape, beats, passes):
    unit, text = coarse_group(level, shape, beats, largest(level, shape, beats, passes) - 1, passes)
    assert not prove(tmp_path, unit, text, beats * passes + 4)
