"""Payloads of the core's streams: what one beat carries, and in which order the beats come.

A layer is cut into tiles of `rows` outputs by `cols` tokens, column tiles (tokens) outermost, row tiles (outputs)
inside. For every tile:

========  ============================================  ==============================================
stream    one beat                                      order of the beats
========  ============================================  ==============================================
x         `lanes` codes and a shift of `cols` tokens    K ascending, padded to whole coarse groups
x_scale   a scale of `cols` tokens                      coarse groups ascending
w         `lanes` codes and a shift of `rows` outputs   as x
w_scale   a scale of `rows` outputs                     as x_scale
bias      one number of `rows` outputs                  one beat
y         one number of `rows` outputs                  one beat for each of the `cols` tokens
========  ============================================  ==============================================

The vector core reads two more. Once for every column tile, if the rank is not 0, for every block of `rows` ranks and
for every input k: `token`, the inputs x'[t, k] of the column tile, `cols / lvc_tokens` beats of `lvc_tokens` tokens;
and `factor`, V[block, k], one beat. Then for every row tile and for every rank r: `factor`, U[tile, r], one beat.
Rows, columns, ranks and inputs beyond the layer are zero.
"""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data
from amaranth.utils import bits_for

from sevedo.gen.config import Config


def command(config: Config) -> data.StructLayout:
    """One layer: its sizes, in units of the array."""
    rows, cols = config.rmc.rows, config.rmc.cols
    return data.StructLayout(
        {
            "coarse_groups": unsigned(bits_for(-(-config.limits.inputs // config.groups.coarse))),
            "inputs": unsigned(bits_for(config.limits.inputs)),
            "rank": unsigned(bits_for(config.lvc.max_rank)),
            "rank_blocks": unsigned(bits_for(-(-config.lvc.max_rank // rows))),
            "row_tiles": unsigned(bits_for(-(-config.limits.outputs // rows))),
            "col_tiles": unsigned(bits_for(-(-config.limits.tokens // cols))),
        }
    )


def operands(lanes: int, code_bits: int, shift_bits: int, count: int) -> data.StructLayout:
    """Codes and shifts of `count` rows or columns; without shifts where they have no bits."""
    fields = {"codes": data.ArrayLayout(data.ArrayLayout(signed(code_bits), lanes), count)}
    if shift_bits:
        fields["shifts"] = data.ArrayLayout(unsigned(shift_bits), count)
    return data.StructLayout(fields)


def activations(config: Config) -> data.StructLayout:
    """One beat of `x`."""
    return operands(
        config.rmc.lanes, config.numbers.activation_bits, config.groups.activation_shift_bits, config.rmc.cols
    )


def weights(config: Config) -> data.StructLayout:
    """One beat of `w`."""
    return operands(
        config.rmc.lanes, config.numbers.weight_bits, config.groups.weight_shift_bits, config.rmc.rows
    )


def scales(config: Config, count: int) -> data.ArrayLayout:
    """One coarse scale of each of `count` rows or columns."""
    return data.ArrayLayout(unsigned(config.numbers.scale_format.width), count)


def numbers(config: Config, count: int) -> data.ArrayLayout:
    """`count` numbers of the data format."""
    return data.ArrayLayout(unsigned(config.numbers.data_format.width), count)


def residual_sums(config: Config) -> data.ArrayLayout:
    """Residual sums of `lvc_tokens` tokens by `rows` outputs, from the matrix core to the vector core."""
    return data.ArrayLayout(
        data.ArrayLayout(unsigned(config.numbers.sum_format.width), config.rmc.rows), config.lvc_tokens
    )
