"""The page: what was measured is on it, what was not is named; nothing to fetch; the same bytes again."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from reporting import compare, evaluate, power, synth

from sevedo.gen.config import Config, preset
from sevedo.gen.report.blocks import Hierarchy
from sevedo.gen.report.documents import Between, Compare, Evaluate, Node, Power, Synth
from sevedo.gen.report.inputs import Inputs, Source
from sevedo.gen.report.page import Options, render
from sevedo.gen.report.plot import Mark, scatter
from sevedo.gen.report.texts import MISSING, area, bits, digits, duration, number, operations, percent
from sevedo.gen.report.treemap import HEIGHT, OWN, WIDTH, Tile, tiles
from sevedo.gen.verilog.emitter import emit
from sevedo.hw.core.core import Core

TOOLS = {"amaranth": "0.5", "sevedo": "0.1.0"}
VOID = {"meta", "link", "br"}


@pytest.fixture(scope="module")
def config() -> Config:
    """The smallest preset."""
    return preset("tiny")


@pytest.fixture(scope="module")
def hierarchy(config: Config) -> Hierarchy:
    """Its core."""
    return Hierarchy(emit(Core(config)))


def everything(config: Config) -> Inputs:
    """All that can be measured."""
    return Inputs(
        Synth.model_validate(synth(config)),
        (Evaluate.model_validate(evaluate(config)),),
        Compare.model_validate(compare(config)),
        (Power.model_validate(power(config)),),
        Between(fj_per_mac=111.5, tops_per_watt=17.94),
        (Source("synth", "<synth>.json", "00ff"),),
    )


class Reader(HTMLParser):
    """Checks that every element is closed, and gathers texts and what is referred to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("href", "src", "data", "srcset", "action"):
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)


def read(page: str) -> Reader:
    """The page as a browser's parser sees it."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_all_that_was_measured_is_on_the_page(config: Config, hierarchy: Hierarchy) -> None:
    page = render(config, hierarchy, everything(config), Options("tiny", date="1 May"), TOOLS)
    reader = read(page)
    text = " ".join(" ".join(reader.text).split())
    assert "not measured" not in text.lower()
    for told in (
        "256 of the array", "90,000 µm² sky130_fd_sc_hd__tt_025C_1v80, logic", "8.00 ns 125 MHz; asked 10 ns (met)",
        "51.2 GOPS at 100 MHz", "150 fJ 13.3 TOPS/W", "smollm2, perplexity 32.17 FP32: 29.64",  # the head
        "Processing element pe_<x> 16 80,000 20,000 8,000 48", "16,384", "lvc 12 6.000 75.0 %", "xor2_1 7.9000",
        "dot products 90 100.50 66.9 % 60.00 40.00 20.00 0.50", "ViT-Base, T = 197", "Llama2-7B, T = 1 (decode)",
        "a<b> float 32", "vs-quant", "4 x 4 & so on", "<synth>.json", "300.0 6.7", "111.5 fJ", "1 May", "random codes",
    ):  # fmt: skip
        assert told.replace("16,384", "2 KiB") in text, told
    for section in (
        "configuration",
        "blocks",
        "area",
        "timing",
        "energy",
        "cycles",
        "accuracy",
        "schemes",
        "sources",
    ):
        assert f'id="{section}"' in page
    for name, field in Config.model_fields.items():
        for each in getattr(config, name).model_dump():
            assert f">{each}</td>" in page, f"{name}.{each}"
        assert field is not None


def test_what_was_not_measured_is_named_with_the_command(config: Config, hierarchy: Hierarchy) -> None:
    text = " ".join(" ".join(read(render(config, hierarchy, Inputs(), Options("tiny"), TOOLS)).text).split())
    for command in (
        "sevedo synth --config tiny --target liberty --liberty FILE.lib.gz --report synth.json",
        "--clock-ns 2 --report synth.json",
        "sevedo power --config tiny --liberty FILE.lib.gz --json power.json",
        "sevedo evaluate --config tiny --model minilm --scheme fp32 --scheme hgq --json evaluate.json",
        "sevedo compare --config tiny --out build/compare",
    ):
        assert command in text
    assert text.count("Not measured:") == 5
    assert text.count("not measured") == 4, "area, path, energy, accuracy at the head"
    assert "Without a clock no times" in text


def test_nothing_is_fetched_and_every_link_leads_somewhere(config: Config, hierarchy: Hierarchy) -> None:
    page = render(config, hierarchy, everything(config), Options("tiny"), TOOLS)
    reader = read(page)
    assert len(reader.ids) == len(set(reader.ids))
    for link in reader.links:
        assert link == "data:," or (link.startswith("#") and link[1:] in reader.ids), link
    assert not re.search(r"https?:|@import|<script|<iframe|<object|<img", page)
    assert set(re.findall(r"url\(([^)]*)\)", page)) == {"#arrow"}


def test_the_same_input_gives_the_same_bytes(config: Config, hierarchy: Hierarchy) -> None:
    first = render(config, hierarchy, everything(config), Options("tiny"), TOOLS)
    again = render(preset("tiny"), Hierarchy(emit(Core(config))), everything(config), Options("tiny"), TOOLS)
    assert first == again
    assert not re.search(r"20\d\d-\d\d-\d\d", first)
    assert first != render(config, hierarchy, everything(config), Options("tiny", clock_mhz=50), TOOLS)


def test_parts_that_a_document_lacks_are_named(config: Config, hierarchy: Hierarchy) -> None:
    bare = synth(config) | {
        "timing": None,
        "memories": [],
        "area_tree": None,
        "library": None,
        "target": "ecp5",
    }
    for module in [*bare["modules"], bare["total"]]:
        module |= {"area": None, "gate_equivalents": None, "luts": 7.0, "dsps": 1.0, "block_rams": 0.0}
    inputs = Inputs(synth=Synth.model_validate(bare))
    text = " ".join(" ".join(read(render(config, hierarchy, inputs, Options("tiny"), TOOLS)).text).split())
    assert "area of core 7 LUTs ecp5, logic" in text
    assert "the synthesis that was given has no timing" in text
    assert "block RAMs" in text


def test_a_core_that_cannot_run_a_model_says_so(hierarchy: Hierarchy) -> None:
    small = preset("tiny").replace(limits__inputs=2048)
    text = " ".join(read(render(small, hierarchy, Inputs(), Options("tiny"), TOOLS)).text)
    assert "inputs K=4096 must be at most limits.inputs=2048" in text
    assert "does not fit" in text


def _node(name: str, area_: float, *children: Node) -> Node:
    return Node(name=name, module=name, count=1, area=area_, children=children)


def test_areas_of_a_treemap_are_shares() -> None:
    inner = _node("b", 30.0, _node("c", 20.0), _node(OWN, 10.0))
    tree = _node("top", 100.0, _node("a", 60.0), inner, _node("d", 10.0), _node("none", 0.0), _node("e", 0.0))
    found = {tile.tooltip.split(" (")[0]: tile for tile in tiles(tree, "um2", {"a": "Alpha"})}
    assert set(found) == {"Alpha", "b", "c", "b: own", "d"}
    for name, share in (("Alpha", 0.6), ("b", 0.3), ("d", 0.1)):
        tile = found[name]
        assert tile.width * tile.height == pytest.approx(share * WIDTH * HEIGHT, rel=0.03)
    for name in ("c", "b: own"):
        assert _inside(found[name], found["b"])
    assert found["c"].color == found["c"].color
    assert (found["c"].depth, found["b"].parent, found["Alpha"].parent) == (2, True, False)
    assert found["Alpha"].tooltip == "Alpha (a): 60 um2, 60.0 %"
    assert tiles(_node("top", 0.0), "um2", {}) == []


def _inside(one: Tile, other: Tile) -> bool:
    across = other.x <= one.x and one.x + one.width <= other.x + other.width
    return across and other.y <= one.y and one.y + one.height <= other.y + other.height


def test_a_plot_holds_its_points_and_joins_the_front() -> None:
    plot = scatter([Mark("a", 1.0, 9.0), Mark("b", 2.0, 4.0), Mark("c", 3.0, 5.0)], "x", "y")
    assert [spot.best for spot in plot.spots] == [True, True, False]
    for spot in plot.spots:
        assert plot.x_ticks[0][0] <= spot.x <= plot.x_ticks[-1][0]
        assert plot.y_ticks[-1][0] <= spot.y <= plot.y_ticks[0][0]
    assert len(plot.front.split()) == 3
    assert len(scatter([Mark("a", 1.0, 1.0), Mark("b", 1.0, 1.0)], "x", "y").x_ticks) > 1


def test_figures_are_written_for_readers() -> None:
    assert [number(1234.56, 1), number(None), percent(0.1234), percent(None, 2)] == [
        "1,234.6", MISSING, "12.3 %", MISSING,
    ]  # fmt: skip
    assert [digits(value) for value in (0.012345, 12.345, 1234.5, 0, None)] == [
        "0.0123",
        "12.3",
        "1,230",
        "0",
        MISSING,
    ]
    assert [area(9050.4), area(412345.0), area(7, "LUTs"), area(None)] == [
        "9,050 µm²",
        "0.412 mm²",
        "7 LUTs",
        MISSING,
    ]
    assert [duration(12.34), duration(32500), duration(None)] == ["12.3 ms", "32.5 s", MISSING]
    assert [operations(0.0512), operations(4.096)] == ["51.2 GOPS", "4.1 TOPS"]
    assert [bits(512), bits(16384), bits(12582912)] == ["512 b", "2 KiB", "1.5 MiB"]
