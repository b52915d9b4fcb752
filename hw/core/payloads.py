"""Payloads of the core's streams: what one beat carries, and in which order the beats come.

A layer is cut into tiles of `rows` outputs by `cols` tokens, column tiles (tokens) outermost, row tiles (outputs)
inside. For every tile:

========  ============================================  ==============================================
stream    one beat                                      order of the beats
========  ============================================  ==============================================
x         `lanes` codes of `cols` tokens, and what       K ascending, padded to whole coarse groups; see below
          their fine groups have: a shift or a scale
x_scale   a scale of `cols` tokens                      coarse groups ascending
w         the same of `rows` outputs                    as x
w_scale   a scale of `rows` outputs                     as x_scale
bias      one number of `rows` outputs                  one beat
y         one number of `rows` outputs of            `cols / output_tokens` beats, tokens ascending
          `output_tokens` tokens
========  ============================================  ==============================================

The low-rank path reads three more, if the rank is not 0. Once for every column tile, for every block of `lvc.ranks`
ranks and for every input k: `token`, x'[t, k] of the `cols` tokens, and `v`, V[block, k], one beat each. For every
column tile, for every group of `lvc_tiles` row tiles and for every rank r: `u`, U[group, r], one beat, tile after tile.
Rows, columns, ranks and inputs beyond the layer are zero.

Integer classes of the low-rank path (INT8, then INT4; a class without ranks sends nothing) read six more:

===========  ===========================================  ==============================================
stream       one beat                                     order of the beats
===========  ===========================================  ==============================================
int_x        as x, of x' in codes of two digits           for every column tile, class and block of `int_ranks` ranks:
                                                          as x for a tile
int_x_scale  as x_scale                                   coarse groups ascending, for each of these
int_v        as w, of `int_ranks` rows of V               as int_x; the digits are those of the class
int_v_scale  a scale of `int_ranks` ranks                 as int_x_scale
int_u        `int_lanes` digits of U of `rows` outputs    for every tile, block of `int_tokens` tokens, class, pair of
                                                          digits of (z, U), and block of `int_lanes` ranks
int_u_scale  an FP16 scale of `rows` outputs              for every tile, block of tokens and class
===========  ===========================================  ==============================================

Codes of two digits pass in digits. A coarse group then takes its beats several times: with wide activations or wide
weights once with their high digits and once with their low ones; with both, in the order (high, high), (high, low),
(low, high), (low, low) of (activations, weights). So do the codes of z and U over the ranks of
a class. The numbers of the fine groups come with every pass.
"""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data
from amaranth.utils import bits_for

from sevedo.gen.config import FP16, Config, FineLevel

FINE_FIELD = {FineLevel.NONE: "", FineLevel.SHIFT: "shifts", FineLevel.INTEGER: "integer_scales"}
"""How a beat calls the numbers of its fine groups."""


def command(config: Config) -> data.StructLayout:
    """One layer: its sizes, in units of the array; whether its codes have two digits, where they may.

    Of every integer class: its blocks of `int_ranks` ranks, the rows of tiles of z, and of `int_lanes` ranks.
    """
    rows, cols = config.rmc.rows, config.rmc.cols
    return data.StructLayout(
        {
            "coarse_groups": unsigned(bits_for(-(-config.limits.inputs // config.groups.coarse))),
            "inputs": unsigned(bits_for(config.limits.inputs)),
            "rank": unsigned(bits_for(config.lvc.max_rank)),
            "rank_blocks": unsigned(bits_for(-(-config.lvc.max_rank // config.lvc.ranks))),
            "row_tiles": unsigned(bits_for(-(-config.limits.outputs // rows))),
            "col_tiles": unsigned(bits_for(-(-config.limits.tokens // cols))),
        }
        | {
            f"{each.name}_{what}": unsigned(bits_for(-(-each.ranks // size)))
            for each in config.rank_classes
            for what, size in (("rows", config.lvc.int_ranks), ("blocks", config.lvc.int_lanes))
        }
        | ({"wide_activations": unsigned(1)} if config.rmc.activation_passes > 1 else {})
        | ({"wide_weights": unsigned(1)} if config.rmc.weight_passes > 1 else {})
    )


def operands(config: Config, code_bits: int, fine_bits: int, count: int) -> data.StructLayout:
    """Codes of `count` rows or columns and the numbers of their fine groups; without these where they have no bits."""
    fields = {"codes": data.ArrayLayout(data.ArrayLayout(signed(code_bits), config.rmc.lanes), count)}
    if fine_bits:
        fields[FINE_FIELD[config.groups.level]] = data.ArrayLayout(unsigned(fine_bits), count)
    return data.StructLayout(fields)


def activations(config: Config) -> data.StructLayout:
    """One beat of `x`."""
    return operands(
        config, config.numbers.activation_bits, config.groups.activation_fine_bits, config.rmc.cols
    )


def weights(config: Config) -> data.StructLayout:
    """One beat of `w`."""
    return operands(config, config.numbers.weight_bits, config.groups.weight_fine_bits, config.rmc.rows)


def scales(config: Config, count: int) -> data.ArrayLayout:
    """One floating-point scale of each of `count` rows or columns."""
    return data.ArrayLayout(unsigned(config.groups.scale_format.width), count)


def numbers(config: Config, count: int) -> data.ArrayLayout:
    """`count` numbers of the data format."""
    return data.ArrayLayout(unsigned(config.numbers.data_format.width), count)


def residual_sums(config: Config) -> data.ArrayLayout:
    """Residual sums of `lvc_tokens` tokens by `rows` outputs, from the matrix core to the vector core."""
    return _sums(config, config.lvc_tokens)


def sums(config: Config) -> data.ArrayLayout:
    """Sums of either path, of `output_tokens` tokens by `rows` outputs, where they are added."""
    return _sums(config, config.lvc.output_tokens)


def _sums(config: Config, tokens: int) -> data.ArrayLayout:
    return data.ArrayLayout(
        data.ArrayLayout(unsigned(config.numbers.sum_format.width), config.rmc.rows), tokens
    )


def outputs(config: Config) -> data.ArrayLayout:
    """One beat of `y`: `rows` outputs of a token, then those of the next."""
    return numbers(config, config.lvc.output_tokens * config.rmc.rows)


def class_operands(config: Config) -> dict[str, data.Layout]:
    """One beat of every operand stream of the integer classes, by name; none without classes."""
    if not config.rank_classes:
        return {}
    digits = data.ArrayLayout(signed(config.numbers.weight_bits), config.lvc.int_lanes)
    return {
        "int_x": activations(config.projection),
        "int_x_scale": scales(config, config.rmc.cols),
        "int_v": weights(config.projection),
        "int_v_scale": scales(config, config.lvc.int_ranks),
        "int_u": data.ArrayLayout(digits, config.rmc.rows),
        "int_u_scale": data.ArrayLayout(unsigned(FP16.width), config.rmc.rows),
    }


def z_codes(config: Config) -> data.ArrayLayout:
    """Codes of z, low and high digit, of `int_tokens` tokens by `int_lanes` ranks: a word of their memory."""
    code = data.ArrayLayout(signed(config.numbers.activation_bits), 2)
    return data.ArrayLayout(data.ArrayLayout(code, config.lvc.int_lanes), config.lvc.int_tokens)
