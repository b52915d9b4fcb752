"""Operations on floating-point numbers as Verilog functions that a compiled simulation runs on the machine's doubles.

Exact where it is offered: a number of a format with at most 11 exponent bits is a double; the product of two, and a
sum rounded to at least ``2 p + 2`` bits before it is rounded to p (Figueroa: When is double rounding innocuous? ACM
SIGNUM Newsletter 30(3), 1995), then take one rounding, to nearest even, which is done on the integer that the double's
encoding is (and below the smallest normal number by adding the power of two whose last place is the format's).
"""

from __future__ import annotations

from sevedo.gen.config.formats import FloatFormat, Rounding

_FRACTION, _BIAS = 52, 1023


def is_readable(*formats: FloatFormat) -> bool:
    """Whether there is a `real_function` of each format: powers of two (E8M0), or what `is_writable` takes."""
    return all(f.exponent_bits < 11 if not f.has_zero and not f.signed else is_writable(f) for f in formats)


def is_writable(format: FloatFormat, rounding: Rounding = Rounding.NEAREST_EVEN) -> bool:
    """Whether there is an `encoding_function` of the format in that direction: IEEE's kind, to nearest even."""
    ieee = format.signed and format.infinities and format.subnormals
    small = format.exponent_bits < 11 and format.fraction_bits < _FRACTION - 1
    return ieee and small and rounding is Rounding.NEAREST_EVEN


def is_exact_product(a: FloatFormat, b: FloatFormat) -> bool:
    """Whether the product of any two numbers is a double."""
    return (
        a.precision + b.precision <= _FRACTION + 1
        and a.max_exponent + b.max_exponent + 1 <= _BIAS
        and a.min_exponent - a.fraction_bits + b.min_exponent - b.fraction_bits >= 1 - _BIAS - _FRACTION
    )


def is_innocuous_sum(format: FloatFormat) -> bool:
    """Whether a sum may be rounded to a double before it is rounded to `format`."""
    return 2 * format.precision + 2 <= _FRACTION + 1 and format.max_exponent < _BIAS


def is_exact_integer(width: int, exponent: int) -> bool:
    """Whether every integer of `width` bits times ``2**exponent`` is a double, and its scaling exact."""
    return width <= 32 and abs(exponent) < _BIAS - 32


def integer_to_real(value: str, width: int, signed: bool, exponent: int) -> str:
    """A Verilog vector of up to 32 bits as an expression of type real, times ``2**exponent``."""
    # wider than it is by one, so that the conversion, which is of a signed number, keeps an unsigned one
    whole = f"$signed({value})" if signed else f"$signed({{1'b0, {value}}})"
    return f"$itor({whole}) * {power(exponent)}" if exponent else f"$itor({whole})"


def to_real(format: FloatFormat, encoding: str) -> str:
    """The call of the function `real_function` on a Verilog expression."""
    return f"real_of_{format.name}({encoding})"


def from_real(format: FloatFormat, value: str) -> str:
    """The call of the function `encoding_function` on a Verilog expression of type real."""
    return f"{format.name}_of_real({value})"


def power(exponent: int) -> str:
    """A power of two as a Verilog expression of type real."""
    return f"$bitstoreal({_double(exponent)})"


def add(format: FloatFormat, a: str, b: str) -> str:
    """The sum of two encodings."""
    return from_real(format, f"{to_real(format, a)} + {to_real(format, b)}")


def multiply(a_format: FloatFormat, b_format: FloatFormat, result: FloatFormat, a: str, b: str) -> str:
    """The product of two encodings."""
    return from_real(result, f"{to_real(a_format, a)} * {to_real(b_format, b)}")


def assign(result: str, width: int, value: str, stages: int, gated: bool = False) -> str:
    """The statement that gives the output `result`, of `width` bits, a value, some clock edges later.

    `gated`: edges with `enable` alone count.
    """
    if not stages:
        return f"  assign {result} = {value};\n"
    names = [f"later_{age}" for age in range(1, stages + 1)]
    moves = " ".join(f"{name} <= {before};" for name, before in zip(names, [value, *names], strict=False))
    return (
        "".join(f"  reg [{width - 1}:0] {name} = 0;\n" for name in names)
        + f"  always @(posedge clk) {'if (enable) ' if gated else ''}begin {moves} end\n"
        + f"  assign {result} = {names[-1]};\n"
    )


def real_function(format: FloatFormat) -> str:
    """The function from an encoding of `format` to the number as a real: any NaN is a NaN."""
    name, fraction, pad = f"real_of_{format.name}", format.fraction_bits, 11 - format.exponent_bits
    if format.has_zero:
        # A number whose exponent field reads as a double's is too small by the difference of the biases, also
        # subnormally.
        body, rest = format.width - 2, f"{_FRACTION - fraction}'d0"
        special = f"&encoding[{body}:{fraction}]"
        infinite = f"{{encoding[{body + 1}], {pad}'d{(1 << pad) - 1}, encoding[{body}:0], {rest}}}"
        number = f"{{encoding[{body + 1}], {pad}'d0, encoding[{body}:0], {rest}}}"
        scale = f" * {power(_BIAS - format.bias)}"
    else:
        special, infinite = "&encoding", "64'h7ff8000000000000"
        number = f"{{1'b0, 11'd{_BIAS - format.bias} + {{{pad}'d0, encoding}}, {_FRACTION}'d0}}"
        scale = ""
    return f"""\
  function real {name};
    input [{format.width - 1}:0] encoding;
    if ({special})
      {name} = $bitstoreal({infinite});
    else
      {name} = $bitstoreal({number}){scale};
  endfunction
"""


def encoding_function(format: FloatFormat) -> str:
    """The function that rounds a real to `format` and encodes it, to nearest even; NaN becomes the canonical one."""
    fraction, width = format.fraction_bits, format.width
    drop = _FRACTION - fraction
    ones = ((1 << format.exponent_bits) - 1) << fraction
    half, rebias = (1 << (drop - 1)) - 1, (_BIAS - format.bias) << fraction
    # the double whose last place is that of the subnormal numbers
    magic = _double(format.min_exponent - fraction + _FRACTION)
    return f"""\
  function [{width - 1}:0] {format.name}_of_real;
    input real value;
    reg [63:0] bits;
    reg [63:0] size;
    begin
      bits = $realtobits(value);
      size = {{1'b0, bits[62:0]}};
      if (size >= {_double(format.max_exponent + 1)})
        size = size > 64'h7ff0000000000000 ? 64'd{format.nan} : 64'd{ones};
      else if (size < {_double(format.min_exponent)})
        size = $realtobits($bitstoreal(size) + $bitstoreal({magic})) - {magic};
      else
        size = ((size + 64'd{half} + {{63'd0, bits[{drop}]}}) >> {drop}) - 64'd{rebias};
      {format.name}_of_real = {{bits[63] & (bits[62:0] <= 63'h7ff0000000000000), size[{width - 2}:0]}};
    end
  endfunction
"""


def functions(decoded: tuple[FloatFormat, ...], encoded: tuple[FloatFormat, ...]) -> str:
    """`real_function` and `encoding_function` of each format, once."""
    return "".join([real_function(f) for f in dict.fromkeys(decoded)] + [
        encoding_function(f) for f in dict.fromkeys(encoded)
    ])  # fmt: skip


def _double(exponent: int) -> str:
    """The encoding of a power of two."""
    return f"64'h{exponent + _BIAS << _FRACTION:016x}"
