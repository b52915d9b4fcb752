"""The emitter on a small hierarchy: each module once, readable, the same bytes in any process, a complete manifest."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sevedo.gen.verilog.emitter import EmissionError, emit, verilog
from sevedo.gen.verilog.lint import lint
from sevedo.gen.verilog.manifest import StreamPort, manifest, manifest_text, streams
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit
from sevedo.sim.packing import pack, unpack
from sevedo.sim.player import Player


class Product(Unit):
    """The product of two numbers.

    Numerics: exact.
    """

    def __init__(self, bits: int, name: str = ""):
        self._bits, self._name = bits, name
        super().__init__({"a": In(signed(bits)), "b": In(signed(bits)), "product": Out(signed(2 * bits + 4))})

    @property
    def module_name(self) -> str:
        return self._name or f"product_{self._bits}"

    def build(self) -> Module:
        m = Module()
        m.d.comb += self.product.eq(self.a * self.b)  # wider than the product: its sign is repeated
        return m


class Sums(Unit):
    """Sums of products of a stream, with a choice.

    It has what tends to come out ugly: arrays in a payload, children that share names, a Switch, registers that are
    not reset, a name that is a keyword of Verilog.
    """

    latency = 2

    def __init__(self, lanes: int):
        self._lanes = lanes
        payload = data.StructLayout(
            {"a": data.ArrayLayout(signed(5), lanes), "b": data.ArrayLayout(signed(5), lanes), "mode": 2}
        )
        result = data.StructLayout({"sum": signed(16), "products": data.ArrayLayout(signed(14), lanes)})
        super().__init__(
            {"i": In(stream.Signature(payload)), "o": Out(stream.Signature(result)), "beats": Out(8)}
        )

    @property
    def module_name(self) -> str:
        return f"sums_{self._lanes}"

    def build(self) -> Module:
        m = Module()
        m.submodules.buffer = buffer = StreamBuffer(self.i.payload.shape())
        wiring.connect(m, wiring.flipped(self.i), buffer.i)
        taken = buffer.o.payload
        full = Signal()
        total = Signal(signed(16), reset_less=True)
        products = Signal(self.o.payload.products.shape(), reset_less=True)
        chosen = Signal(signed(16))
        exact = 0
        for lane in range(self._lanes):
            m.submodules[f"product_{lane}"] = product = Product(5)
            m.d.comb += [product.a.eq(taken.a[lane]), product.b.eq(taken.b[lane])]
            with m.If(buffer.o.valid & buffer.o.ready):
                m.d.sync += products[lane].eq(product.product)
            exact += product.product
        with m.Switch(taken.mode):
            with m.Case(0):
                m.d.comb += chosen.eq(exact)
            with m.Case(1):
                m.d.comb += chosen.eq(-exact)
            with m.Case(2):
                m.d.comb += chosen.eq(Mux(taken.a[0] < 0, 1, -1))
        m.d.comb += [
            buffer.o.ready.eq(~full | self.o.ready),
            self.o.valid.eq(full),
            self.o.payload.sum.eq(total),
            self.o.payload.products.eq(products),
        ]
        with m.If(buffer.o.ready):
            m.d.sync += full.eq(buffer.o.valid)
            with m.If(buffer.o.valid):
                m.d.sync += [total.eq(chosen), self.beats.eq(self.beats + 1)]
        return m


@pytest.fixture(scope="module")
def modules():
    return emit(Sums(3))


@pytest.fixture(scope="module")
def text(modules) -> str:
    return verilog(modules)


def test_each_module_once_parents_first(text):
    names = re.findall(r"^module (\w+) \($", text, re.MULTILINE)
    assert names[0] == "sums_3"
    assert len(names) == len(set(names)) == 3
    assert len(re.findall(r"^  product_5 product_\d \($", text, re.MULTILINE)) == 3


def test_header_declares_ports_in_order(modules, text):
    head = text[text.index("module sums_3 (") : text.index(");")]
    named = re.findall(r"^  (?:in|out)put .*?(\w+)(?: = [^,\n]*)?,?$", head, re.MULTILINE)
    assert named == ["clk", "rst", *(port.name for port in modules[-1].ports)]
    assert "input  wire [14:0] i_a," in head


def test_no_noise(text):
    assert "$" not in text.replace("$signed", "")
    assert "\\" not in text
    assert "(*" not in text
    assert "__" not in text.replace("read__", "").replace(
        "write__", ""
    )  # what Amaranth calls ports of its memory
    assert text.startswith("// Sums of products of a stream, with a choice.\nmodule sums_3 (")
    product = text[text.index("module product_5") :]
    assert "clk" not in product[: product.index("endmodule")]


def test_stands_alone_and_is_clean(text, tmp_path: Path):
    file = tmp_path / "sums.v"
    file.write_text(text)
    assert lint(file, "sums_3") == []


def test_same_bytes_in_any_process(modules, text):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_emitter as t; m = t.emit(t.Sums(3));"
        "v = t.verilog(m); sys.stdout.write(v + t.manifest_text(t.manifest(m, v)))"
    )
    expected = text + manifest_text(manifest(modules, text))
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == expected


def test_one_name_for_two_units_is_refused():
    class Pair(Unit):
        def __init__(self):
            super().__init__({"y": Out(signed(14))})

        @property
        def module_name(self) -> str:
            return "pair"

        def build(self) -> Module:
            m = Module()
            m.submodules.p = p = Product(5, "same")
            m.submodules.q = Product(6, "same")
            m.d.comb += self.y.eq(p.product)
            return m

    with pytest.raises(EmissionError, match="module same stands for both"):
        emit(Pair())


def test_manifest(modules, text):
    content = manifest(modules, text, {"rmc": {"rows": 4}})
    assert json.loads(manifest_text(content)) == content
    assert content["top"] == "sums_3"
    assert content["configuration"] == {"rmc": {"rows": 4}}
    assert content["verilog_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert (content["clock"], content["reset"]["port"]) == ("clk", "rst")
    assert {m["name"]: (m["instances"], m["latency"]) for m in content["modules"]} == {
        "sums_3": (1, 2), modules[0].name: (1, 1), "product_5": (3, None),
    }  # fmt: skip
    assert set(content["tools"]) == {"amaranth", "yosys", "sevedo"}
    first, second = (StreamPort.from_dict(entry) for entry in content["streams"])
    assert (first, second) == streams(modules[-1].unit)
    assert (first.name, first.direction, first.width, first.words) == ("i", "in", 32, 1)
    assert [(f.port, f.width, f.offset) for f in first.fields] == [
        ("i_a", 15, 0),
        ("i_b", 15, 15),
        ("i_mode", 2, 30),
    ]
    assert first.fields[0].layout == {"array": 3, "of": "signed(5)"}
    assert (second.name, second.direction, second.width, second.words) == ("o", "out", 58, 2)
    assert content["ports"][-1] == {
        "name": "beats",
        "direction": "output",
        "width": 8,
        "layout": "unsigned(8)",
    }


def test_the_verilog_computes_what_the_unit_says(modules, text):
    rng = np.random.default_rng(5)
    count = 4000
    a, b = rng.integers(-16, 16, (2, count, 3))
    a[0], b[0] = -16, -16
    mode = rng.integers(0, 4, count)
    player = Player.from_manifest(text, manifest(modules, text))
    source, target = player.streams
    result = player.run(
        {"i": pack(source, {"a": a, "b": b, "mode": mode})}, {"o": count}, stall=(0.25, 0.25), seed=1
    )
    given = unpack(target, result.outputs["o"])
    exact = (a * b).sum(1)
    assert np.array_equal(given["products"], a * b)
    assert np.array_equal(
        given["sum"], np.choose(mode, [exact, -exact, np.where(a[:, 0] < 0, 1, -1), 0 * exact])
    )
    assert result.status["beats"] == count % 256
    alone = player.run({"i": pack(source, {"a": a[:1], "b": b[:1], "mode": mode[:1]})}, {"o": 1})
    assert alone.last_out - alone.first_in == Sums.latency
