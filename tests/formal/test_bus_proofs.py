"""Proofs of the bus units (SymbiYosys, `make formal`): the rules of AXI, and that no burst leaves its window.

Inductions, for runs of any length, where the registers can be seen; bounded runs from reset where they are in modules
below. Every property has a fault in the unit's source that refutes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prover import Mode, prove_inside
from test_stream_proofs import Claims, faulty, pair, stream_rules, together

from sevedo.gen.config import preset
from sevedo.hw.bus.landing import LandingBuffer
from sevedo.hw.bus.lite import LitePort
from sevedo.hw.bus.reader import AxiReader
from sevedo.hw.bus.splitter import BurstSplitter
from sevedo.hw.bus.writer import AxiWriter
from sevedo.hw.unit import Unit

pytestmark = pytest.mark.formal

LONGEST = 4
CONFIG = preset("tiny").replace(
    bus__data_bytes=4, bus__burst=LONGEST, bus__outstanding=1, bus__address_bits=32
)
PLACE_BITS, WORD_BITS, DEPTH, BITS = 30, 6, 3, 3


def channel(name: str, payload: dict[str, int]) -> Claims:
    """The rules of an AXI channel, for who drives it: valid stays and the payload stands until the transfer."""
    ports = "{" + ", ".join(f"axi_{name}{port}" for port in payload) + "}"
    return Claims(
        f"""
  reg {name}_waits = 0;
  reg [{sum(payload.values()) - 1}:0] {name}_was = 0;
  always @(posedge clk) begin
    {name}_waits <= !rst & axi_{name}valid & !axi_{name}ready;
    {name}_was <= {ports};
  end
""",
        properties={
            f"{name}_valid_stays": f"!{name}_waits | axi_{name}valid",
            f"{name}_payload_stands": f"!{name}_waits | {ports} == {name}_was",
        },
        reached={f"{name}_waited": f"{name}_waits"},
    )


def of_address(name: str) -> Claims:
    """An address channel, and no new burst at it while halted."""
    own = Claims(
        """
  reg halted = 0;
  always @(posedge clk) halted <= halt;
""",
        properties={f"{name}_halts": f"!halted | !axi_{name}valid | {name}_waits"},
    )
    return together(channel(name, {"addr": 32, "len": 8}), own)


def of_splitter() -> Claims:
    """A burst has beats, stays inside the window of its request and between two multiples of the longest burst.

    The window is that of the cycle in which the request was taken. Assumed: it lies inside the address space.
    """
    base, size = "window[31:2]", "window[63:34]"
    return Claims(
        f"""
  reg [{PLACE_BITS + 1}:0] low = 0, high = 0;
  always @* assume ({{2'b0, {base}}} + {size} <= 32'd{1 << PLACE_BITS});
  always @(posedge clk)
    if (request_valid & request_ready) begin
      low <= {base};
      high <= {{2'b0, {base}}} + {size};
    end
  wire [{PLACE_BITS + 1}:0] first = burst_address >> 2;
  wire [{PLACE_BITS + 1}:0] beats = burst_beats;
  reg waits = 0;
  reg [{32 + 3}:0] was = 0;
  always @(posedge clk) begin
    waits <= !rst & !clear & burst_valid & !burst_ready;
    was <= {{burst_address, burst_beats, burst_last}};
  end
""",
        properties={
            "above": "!burst_valid | first >= low",
            "below": "!burst_valid | first + beats <= high",
            "some_beats": "!burst_valid | beats != 0",
            "boundary": f"!burst_valid | first % {LONGEST} + beats <= {LONGEST}",
            "whole_words": "burst_address[1:0] == 0",
            "stays": "!waits | burst_valid & {burst_address, burst_beats, burst_last} == was",
        },
        invariants={
            "left": "!burst_valid | left != 0 & first + left <= high & (!burst_last | left == beats)",
            "windows": f"low <= high & high <= 32'd{1 << PLACE_BITS}",
        },
        reached={"second_burst": "burst_valid & first >= low + 7"},
    )


def of_landing() -> Claims:
    """First in, first out. Assumed: never more than `DEPTH` words inside."""
    model = f"""
  always @* assume (!clear);
  always @* assume (!write | held < {DEPTH});
"""
    tracked = pair(BITS, ("write", "word", 1), ("(o_valid & o_ready)", "o", 1))
    return together(tracked, stream_rules("o", BITS), Claims(model, {}, reached={"full": f"held == {DEPTH}"}))


def of_lite() -> Claims:
    """The answers keep the rules; each write and each read has one."""
    own = Claims(
        """
  reg [7:0] addresses = 0, words = 0, reads = 0;
  wire b = axi_bvalid & axi_bready;
  always @(posedge clk)
    if (rst) {addresses, words, reads} <= 0;
    else begin
      addresses <= addresses + (axi_awvalid & axi_awready) - b;
      words <= words + (axi_wvalid & axi_wready) - b;
      reads <= reads + (axi_arvalid & axi_arready) - (axi_rvalid & axi_rready);
    end
""",
        properties={
            "write_first": "!axi_bvalid | addresses != 0 & words != 0",
            "read_first": "!axi_rvalid | reads != 0",
        },
        invariants={
            "addresses_open": "addresses == !axi_awready + axi_bvalid",
            "words_open": "words == !axi_wready + axi_bvalid",
            "reads_open": "reads == !axi_arready + axi_rvalid",
        },
        reached={"both": "axi_bvalid & axi_rvalid & !axi_awready & !axi_arready"},
    )
    return together(channel("b", {"resp": 2}), channel("r", {"data": 32, "resp": 2}), own)


class Case(NamedTuple):
    """A unit, what is claimed of it, and how it is proved."""

    parameters: tuple[Any, ...]
    claims: Claims
    mode: Mode
    depth: int


READER, WRITER = (
    of_address("ar"),
    together(of_address("aw"), channel("w", {"data": 32, "strb": 4, "last": 1})),
)
CASES: dict[type[Unit], Case] = {
    BurstSplitter: Case((CONFIG, WORD_BITS), of_splitter(), "prove", 2),
    LandingBuffer: Case((BITS, DEPTH), of_landing(), "bmc", 14),
    LitePort: Case((4,), of_lite(), "prove", 2),
    AxiReader: Case((CONFIG, (("one", 1), ("two", 1))), READER, "prove", 2),
    AxiWriter: Case((CONFIG,), WRITER, "bmc", 12),
}
STEPS = 14
FAULTS = {
    "beyond the window": (BurstSplitter, "request.words > size)", "request.words > size + 1)", "below"),
    "sum overflows": (BurstSplitter, "self.window.base[below:] + first", "first - 1", "above"),
    "no words": (BurstSplitter, " | (request.words == 0)", "", "some_beats"),
    "boundary crossed": (BurstSplitter, "longest - place[:inside]", "longest", "boundary"),
    "half a word": (BurstSplitter, "current.address.eq(Cat(Const(0, below)", "current.address.eq(Cat(Const(1, below)",
                    "whole_words"),
    "burst moves": (BurstSplitter, "with m.Elif(self.burst.ready)", "with m.Else()", "stays"),
    "word overwritten": (LandingBuffer, "to.eq(self._after(to))", "to.eq(to)", "order_a"),
    "word repeated": (LandingBuffer, "at.eq(self._after(at))", "at.eq(at)", "order_b"),
    "word moves": (LandingBuffer, "fetch.eq((waiting != 0) & (~self.o.valid | self.o.ready))",
                   "fetch.eq(waiting != 0)", "o_payload_stands"),
    "landing's valid drops": (LandingBuffer, "with m.Elif(self.o.ready)", "with m.Else()", "o_valid_stays"),
    "B drops": (LitePort, "with m.Elif(axi.bready)", "with m.Else()", "b_valid_stays"),
    "B moves": (LitePort, "address & word & ~axi.bvalid", "address & word", "b_payload_stands"),
    "R drops": (LitePort, "with m.Elif(axi.rready)", "with m.Else()", "r_valid_stays"),
    "R moves": (LitePort, "asked & ~axi.rvalid", "asked", "r_payload_stands"),
    "written without data": (LitePort, "address & word &", "address &", "write_first"),
    "read unasked": (LitePort, "asked & ~axi.rvalid", "~axi.rvalid", "read_first"),
    "AR drops": (AxiReader, "with m.If(axi.arready)", "with m.If(1)", "ar_valid_stays"),
    "AR moves": (AxiReader, "go.eq((~axi.arvalid | axi.arready) &", "go.eq(", "ar_payload_stands"),
    "AR while halted": (AxiReader, "owners.i.ready & ~self.halt)", "owners.i.ready)", "ar_halts"),
    "AW drops": (AxiWriter, "with m.Elif(axi.awready)", "with m.Else()", "aw_valid_stays"),
    "AW moves": (AxiWriter, "(~axi.awvalid | axi.awready) &", "", "aw_payload_stands"),
    "AW while halted": (AxiWriter, "unanswered.i.ready & ~self.halt", "unanswered.i.ready", "aw_halts"),
    "W drops": (AxiWriter, "axi.wvalid.eq(beats.o.valid)", "axi.wvalid.eq(beats.o.valid & ~self.halt)",
                "w_valid_stays"),
    "W moves": (AxiWriter, "axi.wstrb.eq(beats.o.p.word.strobe)",
                "axi.wstrb.eq(Mux(self.halt, 0, beats.o.p.word.strobe))", "w_payload_stands"),
}  # fmt: skip
"""Deliberate faults: the unit, what is replaced in its source by what, and the property that this refutes."""


@pytest.mark.parametrize("unit", CASES)
def test_claims_hold(tmp_path: Path, unit: type[Unit]) -> None:
    case = CASES[unit]
    assert prove_inside(tmp_path, unit(*case.parameters), case.claims.checker(), case.depth, case.mode)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_refuted(tmp_path: Path, fault: str) -> None:
    unit, old, new, refuted = FAULTS[fault]
    case = CASES[unit]
    wrong = faulty(unit, old, new)(*case.parameters)
    assert not prove_inside(tmp_path, wrong, case.claims.checker(refuted), STEPS, "bmc")


@pytest.mark.parametrize("unit", CASES)
def test_assumptions_rule_out_nothing_that_matters(tmp_path: Path, unit: type[Unit]) -> None:
    case = CASES[unit]
    assert prove_inside(tmp_path, unit(*case.parameters), case.claims.covers(), STEPS, "cover")


@pytest.mark.parametrize("unit", CASES)
def test_every_property_has_its_fault(unit: type[Unit]) -> None:
    assert {f[3] for f in FAULTS.values() if f[0] is unit} == set(CASES[unit].claims.properties)
