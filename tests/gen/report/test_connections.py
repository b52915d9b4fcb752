"""What is read from an emitted module: who is wired to whom, through buffers, registers, selections and memories."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import preset
from sevedo.gen.report.blocks import Diagram, Hierarchy, words
from sevedo.gen.report.connections import OUTSIDE, Wire, wires
from sevedo.gen.report.layout import place
from sevedo.gen.report.rtlil import Rtlil, Slice
from sevedo.gen.verilog.emitter import emit
from sevedo.hw.core.core import Core
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit

PAIR = data.StructLayout({"a": 4, "b": 4})


class Leaf(Unit):
    """A stream through, and a number beside it."""

    def __init__(self, tag: str) -> None:
        signature = stream.Signature(PAIR)
        super().__init__({"i": In(signature), "o": Out(signature), "number": In(8), "told": Out(8)})

    @property
    def module_name(self) -> str:
        return f"leaf_{self.parameters['tag']}"

    def build(self) -> Module:
        m = Module()
        connect(m, flipped(self.i), flipped(self.o))
        m.d.sync += self.told.eq(self.number + 1)
        return m


class Top(Unit):
    """first -> buffer -> second; first's number comes from second by a register, a choice, a memory and a half."""

    def __init__(self) -> None:
        signature = stream.Signature(PAIR)
        super().__init__(
            {"x": In(signature), "y": Out(signature), "choice": In(1), "other": In(4), "seen": Out(8)}
        )

    @property
    def module_name(self) -> str:
        return "top"

    def build(self) -> Module:
        m = Module()
        m.submodules.first = first = Leaf("a")
        m.submodules.kept = kept = StreamBuffer(PAIR)
        m.submodules.second_0 = second = Leaf("b")
        m.submodules.second_1 = twin = Leaf("b")
        m.submodules.memory = memory = Memory(shape=4, depth=4, init=[])
        read, write = memory.read_port(domain="sync"), memory.write_port()
        connect(m, flipped(self.x), first.i)
        connect(m, first.o, kept.i)
        connect(m, kept.o, second.i)
        connect(m, second.o, flipped(self.y))
        late = Signal(8)
        m.d.sync += late.eq(second.told)
        m.d.comb += [
            write.data.eq(late[:4]),
            write.addr.eq(twin.told[:2]),  # an address: no data
            write.en.eq(1),
            first.number.eq(Mux(self.choice, Cat(read.data, self.other), 0)),
            twin.number.eq(late & 15),
            self.seen.eq(twin.told),
        ]
        return m


def hierarchy() -> Hierarchy:
    """Of `Top`."""
    return Hierarchy(emit(Top()))


def test_data_is_followed_and_control_is_not() -> None:
    here = hierarchy()
    outputs = {
        n: frozenset(p.name for p in m.ports if p.direction == "output") for n, m in here.modules.items()
    }
    buffers = frozenset(name for name in here.modules if name.startswith("stream_buffer"))
    found = set(wires(here.modules["top"], outputs, buffers))
    payload = {each for each in found if each.source_port[-5:] not in ("ready", "valid")}
    assert payload == {
        *(Wire(OUTSIDE, f"x_{field}", "first", f"i_{field}") for field in "ab"),
        *(Wire("first", f"o_{field}", "second_0", f"i_{field}") for field in "ab"),
        *(Wire("second_0", f"o_{field}", OUTSIDE, f"y_{field}") for field in "ab"),
        Wire("second_0", "told", "first", "number"),
        Wire(OUTSIDE, "other", "first", "number"),
        Wire("second_0", "told", "second_1", "number"),
        Wire("second_1", "told", OUTSIDE, "seen"),
    }


def test_a_diagram_has_blocks_by_role_and_links_by_stream() -> None:
    here = hierarchy()
    drawn = here.diagram("top")
    blocks = {block.key: (block.module, block.count) for block in drawn.blocks if block.module}
    assert blocks == {"first": ("leaf_a", 1), "second": ("leaf_b", 2)}
    assert drawn.hidden == 1
    links = {(link.source, link.target): link for link in drawn.links}
    assert set(links) == {("> first", "first"), ("first", "second"), ("second", "second >")}
    assert links["first", "second"].streams == (("i", 8),)
    assert links["first", "second"].label == "i 8 b"
    assert [block.title for block in drawn.blocks if not block.module] == ["x", "y"]
    assert here.counts == {
        "top": 1,
        "leaf_a": 1,
        "leaf_b": 2,
        next(n for n in here.modules if "buffer" in n): 1,
    }


def test_the_core_is_what_its_source_says() -> None:
    here = Hierarchy(emit(Core(preset("tiny"))))
    drawn = {each.module: each for each in here.diagrams()}
    core = drawn["core"]
    assert {block.key for block in core.blocks if block.module} == {"rmc", "lvc"}
    assert _streams(core, "rmc", "lvc") == {"sums"}
    assert _streams(core, "> rmc", "rmc") == {"command", "x", "x_scale", "w", "w_scale"}
    assert _streams(core, "lvc", "lvc >") == {"y"}
    rmc = drawn["residual_matrix_core"]
    counts = {block.key: block.count for block in rmc.blocks if block.module}
    assert counts == {"sequencer": 1, "pe": 16, "csu": 4, "sums": 1}
    assert _streams(rmc, "> pe", "pe") == {"x", "w"}
    assert _streams(rmc, "> csu", "csu") == {"x_scale", "w_scale"}
    assert ("pe", "csu") in {(link.source, link.target) for link in rmc.links}
    lvc = drawn["low_rank_vector_core"]
    assert ("projector", "expander") in {(link.source, link.target) for link in lvc.links}, (
        "z, through a memory"
    )
    for diagram in drawn.values():
        _check_places(diagram)


def _streams(diagram: Diagram, source: str, target: str) -> set[str]:
    (link,) = [link for link in diagram.links if (link.source, link.target) == (source, target)]
    return {name for name, _ in link.streams}


def _check_places(diagram: Diagram) -> None:
    """Nothing on top of anything else, nothing outside, and the same again."""
    placed: Any = place(diagram)
    for _ in range(3):
        assert place(diagram) == placed
    assert {box.block for box in placed.boxes} == set(diagram.blocks)
    assert len(placed.paths) == len(diagram.links)
    for number, one in enumerate(placed.boxes):
        assert one.x >= 0
        assert one.x + one.width <= placed.width
        assert one.y >= 0
        assert one.y + one.height <= placed.height
        for other in placed.boxes[number + 1 :]:
            across = one.x < other.x + other.width and other.x < one.x + one.width
            assert not (across and one.y < other.y + other.height and other.y < one.y + one.height), (
                one,
                other,
            )


def test_signals_are_read_as_rtlil_writes_them() -> None:
    text = Rtlil("module \\m\n  wire width 8 \\x\n  wire width 4 signed $3\nend\n")
    assert text.slices("\\x") == [Slice("\\x", 0, 8)]
    assert text.slices("\\x [6:2]") == [Slice("\\x", 2, 5)]
    assert text.slices("{ \\x [7] 2'01 $3 [3:0] }") == [
        Slice("$3", 0, 4),
        Slice("", 0, 2),
        Slice("\\x", 7, 1),
    ]


def test_names_of_classes_in_words() -> None:
    assert [words(name) for name in ("ProcessingElement", "RmcSequencer", "AxiReader", "ZCode", "Core")] == [
        "Processing element", "RMC sequencer", "AXI reader", "Z code", "Core",
    ]  # fmt: skip
