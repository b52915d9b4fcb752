"""Proofs of the buffers between streams and of the RMC sequencer (SymbiYosys, `make formal`).

Properties speak of ports alone. They are proved by k-induction, for runs of any length with resets at any time, with
the help of invariants that also speak of registers. A fault is put into a unit's source and must refute the property
that it is named with, by itself and without the invariants, in a bounded run from reset.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from amaranth.lib.data import StructLayout
from prover import prove_inside

from sevedo.hw.rmc.sequencer import RmcSequencer
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.stream.tile import TileBuffer
from sevedo.hw.unit import Unit

pytestmark = pytest.mark.formal


@dataclass
class Claims:
    """What holds of a unit: `properties` of its ports, `invariants` of its registers, over the state of `model`.

    `reached` are states that the assumptions must not rule out.
    """

    model: str
    properties: dict[str, str]
    invariants: dict[str, str] = field(default_factory=dict)
    reached: dict[str, str] = field(default_factory=dict)

    def checker(self, *names: str) -> str:
        """The model and the assertions called `names`; without names, all of them."""
        every = self.properties | self.invariants
        chosen = {name: every[name] for name in names or every}
        return self.model + "".join(f"  always @* claim_{n}: assert ({e});\n" for n, e in chosen.items())

    def covers(self) -> str:
        """The model and the states to reach."""
        return self.model + "".join(f"  always @* reach_{n}: cover ({e});\n" for n, e in self.reached.items())


def faulty(unit: type[Unit], old: str, new: str) -> type[Unit]:
    """The class of `unit` with a fault in its source."""
    module = sys.modules[unit.__module__]
    source = inspect.getsource(module)
    assert source.count(old) == 1
    space = dict(vars(module))
    exec(compile(source.replace(old, new), str(module.__file__), "exec"), space)
    return space[unit.__name__]


# -- the two tracked beats ------------------------------------------------------------------------------------------


def pair(token: int, into: tuple[str, str, int], out: tuple[str, str, int]) -> Claims:
    """An arbitrary pair of tokens through a buffer: each must come out unchanged, after all that came before it.

    `into` and `out` are (transfer, payload, tokens in a payload); a token has `token` bits. Both picks are free inputs
    of the proof, so what is shown of the pair holds for every two tokens of every run. A token's turn comes by count:
    when as many have gone out as were held when it came in. So none is lost, repeated or overtaken.
    """
    (take, taken, block_in), (give, given, block_out) = into, out
    tracked = "".join(
        f"""
  (* anyseq *) wire pick_{n};
  (* anyseq *) wire [7:0] lane_{n};
  reg in_{n} = 0, gone_{n} = 0;
  reg [7:0] ahead_{n} = 0;
  reg [{token - 1}:0] value_{n} = 0;
  wire enters_{n} = {take} & pick_{n} & !in_{n} & lane_{n} < {block_in} & ({allowed});
  wire turn_{n} = in_{n} & !gone_{n} & ahead_{n} < {block_out};
  always @(posedge clk)
    if (rst) begin
      in_{n} <= 0;
      gone_{n} <= 0;
    end else if (enters_{n}) begin
      in_{n} <= 1;
      ahead_{n} <= held + lane_{n} - ({give} ? {block_out} : 0);
      value_{n} <= {taken} >> lane_{n} * {token};
    end else if ({give} & in_{n} & !gone_{n}) begin
      gone_{n} <= turn_{n};
      ahead_{n} <= ahead_{n} - {block_out};
    end
  wire [{token - 1}:0] given_{n} = {given} >> ahead_{n} * {token};
"""
        for n, allowed in (("a", "1"), ("b", "in_a | enters_a & lane_b > lane_a"))
    )
    model = f"""
  reg [7:0] held = 0;
  always @(posedge clk)
    if (rst) held <= 0;
    else held <= held + ({take} ? {block_in} : 0) - ({give} ? {block_out} : 0);
{tracked}"""
    return Claims(
        model,
        properties={
            "order_a": f"!({give} & turn_a) | given_a == value_a",
            "order_b": f"!({give} & turn_b) | given_b == value_b",
        },
        invariants={
            "known_a": "in_a | !gone_a & !in_b",
            "known_b": "in_b | !gone_b",
            "inside_a": "!in_a | gone_a | ahead_a < held",
            "inside_b": "!in_b | gone_b | ahead_b < held",
            "apart": "!in_b | gone_a | !gone_b & ahead_a < ahead_b",
        },
        reached={"pair_out": "gone_a & gone_b & value_a != value_b"},
    )


def stream_rules(name: str, bits: int) -> Claims:
    """The rules of the stream `name`, for its producer: valid stays and the payload stands until the transfer."""
    return Claims(
        f"""
  reg {name}_waits = 0;
  reg [{bits - 1}:0] {name}_was = 0;
  always @(posedge clk) begin
    {name}_waits <= !rst & {name}_valid & !{name}_ready;
    {name}_was <= {name};
  end
""",
        properties={
            f"{name}_valid_stays": f"!{name}_waits | {name}_valid",
            f"{name}_payload_stands": f"!{name}_waits | !{name}_valid | {name} == {name}_was",
        },
        reached={f"{name}_waited": f"{name}_waits"},
    )


def together(*claims: Claims) -> Claims:
    """Several claims of one unit."""
    whole = Claims("", {})
    for each in claims:
        whole.model += each.model
        whole.properties |= each.properties
        whole.invariants |= each.invariants
        whole.reached |= each.reached
    return whole


# -- what is claimed of each unit -----------------------------------------------------------------------------------

BITS = 3
"""Of a payload of a stream buffer, and of a token of a tile buffer (rows of one bit)."""


def of_stream_buffer(depth: int) -> Claims:
    """First in, first out, and full only when full; nothing is assumed of the stream that comes in."""
    slot = f"(read__addr + ahead_{{n}}) % {depth}"
    own = Claims(
        "",
        properties={"offered": "o_valid == (held != 0)", "room": f"i_ready == (held < {depth})"},
        invariants={
            "level": f"level == held & held <= {depth}",
            "addresses": f"read__addr < {depth} & write__addr == (read__addr + held) % {depth}",
        }
        | {f"stored_{n}": f"!in_{n} | gone_{n} | storage[{slot.format(n=n)}] == value_{n}" for n in "ab"},
        reached={"full": f"held == {depth}"},
    )
    tracked = pair(BITS, ("(i_valid & i_ready)", "i", 1), ("(o_valid & o_ready)", "o", 1))
    return together(tracked, stream_rules("o", BITS), own)


def of_tile_buffer(cols: int, block_in: int, block_out: int) -> Claims:
    """In order, and `tile_valid` and `room` as declared, for a writer that keeps to `room`.

    Assumed: a tile is reserved when there is room, and again at most until its last block is written; a tile has
    `cols / block_in` blocks, the first in the cycle of its reservation or later.
    """
    tracked = pair(BITS, ("write", "block", block_in), ("(tile_valid & tile_ready)", "tile", block_out))
    steps_in, steps_out = cols // block_in, cols // block_out
    cells = ", ".join(f"token_{t}" for t in reversed(range(cols)))
    own = Claims(
        f"""
  reg filling = 0, whole = 0, busy = 0;
  reg [7:0] blocks = 0;
  wire last_in = write & blocks == {steps_in - 1};
  wire last_out = tile_valid & tile_ready & held == {block_out};
  always @* assume (!reserve | room | filling);
  always @* assume (!write | filling | reserve);
  always @(posedge clk)
    if (rst) begin
      filling <= 0;
      whole <= 0;
      busy <= 0;
      blocks <= 0;
    end else begin
      filling <= (filling | reserve) & !last_in;
      whole <= last_in | whole & !last_out;
      busy <= reserve | busy & !last_out;
      if (write) blocks <= last_in ? 0 : blocks + 1;
    end
  wire [7:0] first = whole ? {cols} - held : 0;
  wire [{BITS * cols - 1}:0] cells = {{{cells}}};
""",
        properties={
            "offered": "tile_valid == whole",
            "room": "room == !busy",
            "empty": "!room | held == 0",
        },
        invariants={
            "steps_in": f"blocks == step_in & blocks < {steps_in}",
            "steps_out": f"step_out * {block_out} == first & step_out < {steps_out}",
            "held": f"whole ? held != 0 & held <= {cols} : held == blocks * {block_in}",
            "phase": "busy == (filling | whole) & !(filling & whole) & (filling | blocks == 0)",
        }
        | {
            f"stored_{n}": f"!in_{n} | gone_{n} | ((cells >> (first + ahead_{n}) * {BITS}) & {(1 << BITS) - 1})"
            f" == value_{n}"
            for n in "ab"
        },
        reached={"second_tile": "in_a & gone_a & in_b & busy"},
    )
    return together(tracked, stream_rules("tile", BITS * block_out), own)


SIZES = ("coarse_groups", "row_tiles", "col_tiles")
SIZE_BITS = 2
LAYOUT = StructLayout(dict.fromkeys(SIZES, SIZE_BITS))
WIDE = ("wide_activations", "wide_weights")
WIDE_LAYOUT = StructLayout(dict.fromkeys(SIZES, SIZE_BITS) | dict.fromkeys(WIDE, 1))


def of_sequencer(beats: int, wide: bool = False) -> Claims:
    """A beat is taken when it may be and never else; groups, tiles and layers have the commanded sizes.

    With wide codes a group has its beats once for each pass, and every other pass begins with a promotion.
    Assumed: commands keep the rules of a stream, and no size is zero.
    """
    names = SIZES + (WIDE if wide else ())
    command = "{" + ", ".join(f"command_{name}" for name in reversed(names)) + "}"
    passes = "(1 << {1'b0, job_wide_activations} + job_wide_weights)" if wide else "1"
    bits = SIZE_BITS * len(SIZES) + (len(WIDE) if wide else 0)
    return Claims(
        f"""
  reg waits = 0, working = 0;
  reg [{bits - 1}:0] was = 0, job = 0;
  wire [{SIZE_BITS - 1}:0] {", ".join(f"job_{name}" for name in SIZES)};
  {f"wire {', '.join(f'job_{name}' for name in WIDE)};" if wide else ""}
  assign {command.replace("command_", "job_")} = job;
  always @(posedge clk) begin
    waits <= !rst & command_valid & !command_ready;
    was <= {command};
    if (rst) working <= 0;
    else if (command_ready) working <= command_valid;
    if (command_ready) job <= {command};
  end
  always @* assume (!waits | command_valid & {command} == was);
  always @* assume ({" & ".join(f"command_{name} != 0" for name in SIZES)});
  // Counted at the ports: beats since the last of a group, groups since the last of a tile, tiles since a command.
  reg [7:0] beats = 0, groups = 0, tiles = 0;
  wire group_end = take & last_beat;
  wire tile_end = group_end & last_group;
  always @(posedge clk)
    if (rst) {{beats, groups, tiles}} <= 0;
    else begin
      if (take) beats <= group_end ? 0 : beats + 1;
      if (group_end) groups <= tile_end ? 0 : groups + 1;
      if (tile_end) tiles <= command_ready ? 0 : tiles + 1;
    end
  wire [7:0] of_group = {beats} * {passes};
  wire ends_group = beats == of_group - 1;
  wire ends_tile = ends_group & groups + 1 == job_coarse_groups;
  wire [7:0] tiles_of_layer = job_row_tiles * job_col_tiles;
""",
        properties={
            "operands": "!take | working & operands_valid",
            "scales": "!(take & ends_group) | scales_valid",
            "room": "!(take & ends_tile) | room",
            "taken": "take | !(working & operands_valid) | ends_group & (!scales_valid | ends_tile & !room)",
            "beats": "!take | first_beat == (beats == 0) & last_beat == ends_group",
            "groups": "!take | first_group == (groups == 0) & last_group == (groups + 1 == job_coarse_groups)",
            "tiles": "command_ready == (!working | tile_end & tiles + 1 == tiles_of_layer)",
        }
        | (
            {"promote": f"promote == (take & beats % {beats} == 0 & (beats / {beats}) % 2 == 1)"}
            if wide
            else {}
        ),
        invariants={
            # The register of one or two beats has no name of its own left, and its flags tell it.
            "beat": f"beats == {beats} * pass_number + beat & (!beats | working)"
            f" & (!working | beats < ({beats} << {{1'b0, job_wide_activations}} + job_wide_weights))"
            if wide
            else f"beats < {beats} & "
            + ("beat == beats" if beats > 2 else "first_beat == (beats == 0) & last_beat == ends_group"),
            "work": "busy == working & (!working | work == job)",
            "ahead": "!working | only_group == (job_coarse_groups == 1)"
            " & last_group == (groups + 1 == job_coarse_groups)",
            "group": "group == groups",
            "tile": "tiles == col_tile * job_row_tiles + row_tile | !working & tiles == 0",
            "between": "working | (beats | groups | tiles | row_tile | col_tile) == 0",
            "within": "!working | groups < job_coarse_groups & row_tile < job_row_tiles & col_tile < job_col_tiles",
        },
        reached={"layer": f"working & command_ready & tiles == {3 * 2 - 1}"},
    )


# -- proofs ---------------------------------------------------------------------------------------------------------

K = 2
"""Steps of every induction."""


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_stream_buffer_keeps_order_and_loses_nothing(tmp_path: Path, depth: int) -> None:
    assert prove_inside(tmp_path, StreamBuffer(BITS, depth), of_stream_buffer(depth).checker(), K, "prove")


@pytest.mark.parametrize(("block_in", "block_out"), [(1, 2), (2, 1), (4, 1), (1, 4), (2, 2)])
def test_tile_buffer_keeps_order_and_loses_nothing(tmp_path: Path, block_in: int, block_out: int) -> None:
    unit = TileBuffer(BITS, 4, block_in, block_out, 1)
    assert prove_inside(tmp_path, unit, of_tile_buffer(4, block_in, block_out).checker(), K, "prove")


@pytest.mark.parametrize("beats", [1, 2, 4])
def test_sequencer_counts_and_gates(tmp_path: Path, beats: int) -> None:
    assert prove_inside(tmp_path, RmcSequencer(beats, LAYOUT), of_sequencer(beats).checker(), K, "prove")


def test_sequencer_counts_passes(tmp_path: Path) -> None:
    checker = of_sequencer(4, wide=True).checker()
    assert prove_inside(tmp_path, RmcSequencer(4, WIDE_LAYOUT), checker, K, "prove")


CASES: dict[type[Unit], tuple[tuple[Any, ...], Claims]] = {
    StreamBuffer: ((BITS, 3), of_stream_buffer(3)),
    TileBuffer: ((BITS, 4, 2, 1, 1), of_tile_buffer(4, 2, 1)),
    RmcSequencer: ((2, LAYOUT), of_sequencer(2)),
}
"""The unit that each fault is put into: its parameters and what is claimed of it."""

STEPS = 16
"""Of a refutation, from reset: a tile through its buffer and a second one started; a layer of six tiles."""

FAULTS = {
    "overwrites when full": (StreamBuffer, "level != self._depth", "1", "order_a"),
    "room one early": (StreamBuffer, "level != self._depth", "level < self._depth - 1", "room"),
    "drops a beat": (StreamBuffer, "level + transfer_in -", "level + (transfer_in & ~transfer_out) -", "offered"),
    "swaps beats": (StreamBuffer, "read.addr.eq(self._after(", "read.addr.eq(self._after(1 + ", "order_b"),
    "repeats a beat": (StreamBuffer, "If(transfer_out)", "If(transfer_out & ~transfer_in)", "order_a"),
    "drops valid": (StreamBuffer, "eq(level != 0)", "eq((level != 0) & ~self.i.valid)", "o_valid_stays"),
    "payload bypasses": (
        StreamBuffer, "eq(read.data)", "eq(Mux(self.i.valid, self.i.payload, read.data))", "o_payload_stands"
    ),
    "tile overwritten": (TileBuffer, "self.room.eq(0)", "self.room.eq(1)", "order_b"),
    "room never back": (TileBuffer, ", self.room.eq(1)]", "]", "room"),
    "room too soon": (TileBuffer, "self.tile.valid.eq(1)]", "self.tile.valid.eq(1), self.room.eq(1)]", "empty"),
    "tokens swapped": (TileBuffer, "step * self.block_out", "(step ^ 1) * self.block_out", "order_a"),
    "last beat dropped": (TileBuffer, "step_out == steps_out - 1", "step_out == steps_out - 2", "offered"),
    "tile's valid drops": (
        TileBuffer,
        "        with m.If(self.reserve):",
        "        with m.If(~self.tile.ready):\n            m.d.sync += self.tile.valid.eq(0)\n"
        "        with m.If(self.reserve):",
        "tile_valid_stays",
    ),
    "tile moves unasked": (TileBuffer, "If(self.tile.valid & self.tile.ready)", "If(self.tile.valid)",
                           "tile_payload_stands"),
    "operands not waited for": (RmcSequencer, "& self.operands_valid", "", "operands"),
    "scales not waited for": (RmcSequencer, "self.scales_valid & (", "(", "scales"),
    "room not waited for": (RmcSequencer, "~last_group | self.room", "1", "room"),
    "waits without need": (RmcSequencer, "~self.last_beat | (", "(", "taken"),
    "one beat too few": (RmcSequencer, "beat == self.beats - 1", "beat == self.beats - 2", "beats"),
    "one group too many": (RmcSequencer, "group + 2 ==", "group + 1 ==", "groups"),
    "one group for another": (RmcSequencer, "Mux(last_group, only_group,", "Mux(last_group, 0,", "groups"),
    "one tile too many": (RmcSequencer, "last_row = row_tile + 1", "last_row = row_tile", "tiles"),
}  # fmt: skip
"""Deliberate faults: the unit, what is replaced in its source by what, and the property that this refutes."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_refuted(tmp_path: Path, fault: str) -> None:
    unit, old, new, refuted = FAULTS[fault]
    parameters, claims = CASES[unit]
    assert not prove_inside(
        tmp_path, faulty(unit, old, new)(*parameters), claims.checker(refuted), STEPS, "bmc"
    )


@pytest.mark.parametrize("unit", CASES)
def test_assumptions_rule_out_nothing_that_matters(tmp_path: Path, unit: type[Unit]) -> None:
    parameters, claims = CASES[unit]
    assert prove_inside(tmp_path, unit(*parameters), claims.covers(), STEPS, "cover")


@pytest.mark.parametrize("unit", CASES)
def test_every_property_has_its_fault(unit: type[Unit]) -> None:
    assert {f[3] for f in FAULTS.values() if f[0] is unit} == set(CASES[unit][1].properties)


@pytest.mark.parametrize(
    ("old", "new", "refuted"),
    [
        ("self.take & first_of_pass & number[0]", "first_of_pass & number[0]", "promote"),
        ("first_of_pass & number[0]", "first_of_pass & (number != 0)", "promote"),
        (
            "Cat(wide[0] | wide[-1], wide[0] & wide[-1])",
            "Cat(wide[0] | wide[-1], wide[0] | wide[-1])",
            "beats",
        ),
    ],
)
def test_a_fault_of_passes_is_refuted(tmp_path: Path, old: str, new: str, refuted: str) -> None:
    unit = faulty(RmcSequencer, old, new)(2, WIDE_LAYOUT)
    assert not prove_inside(tmp_path, unit, of_sequencer(2, wide=True).checker(refuted), STEPS, "bmc")
