"""Black boxes: ports and nothing else, a list in the manifest, and a design that works with any memory behind them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import execute, processor_config, random_layers

from sevedo.gen.compile import compile_layers
from sevedo.gen.config import preset
from sevedo.gen.host.run import RtlProcessor
from sevedo.gen.verilog.design import generate_processor
from sevedo.gen.verilog.emitter import emit, verilog
from sevedo.gen.verilog.lint import lint
from sevedo.gen.verilog.manifest import manifest
from sevedo.gen.verilog.tidy import MACROS
from sevedo.hw.mover.output_store import OutputStore
from sevedo.ref.rounding import encode
from sevedo.sim.dram import DramModel, build
from sevedo.sim.packing import pack, unpack
from sevedo.sim.player import Player

CONFIG = preset("tiny")

WRAPPER = """
module {module} (
  input  wire clk,
  input  wire w_en,
  input  wire [{address}:0] w_addr,
  input  wire [{width}:0] w_data,
  input  wire r_en,
  input  wire [{address}:0] r_addr,
  output wire [{width}:0] r_data
);
  unfriendly #(.WIDTH({width} + 1), .ADDRESS({address} + 1)) macro (
    .clk(clk), .w_en(w_en), .w_addr(w_addr), .w_data(w_data), .r_en(r_en), .r_addr(r_addr), .r_data(r_data)
  );
endmodule
"""
MACRO = """
// All that a macro may do: content at the start, and of a read of what is written by the same edge.
module unfriendly #(parameter WIDTH = 1, parameter ADDRESS = 1) (
  input  wire clk,
  input  wire w_en,
  input  wire [ADDRESS - 1:0] w_addr,
  input  wire [WIDTH - 1:0] w_data,
  input  wire r_en,
  input  wire [ADDRESS - 1:0] r_addr,
  output reg  [WIDTH - 1:0] r_data
);
  reg [WIDTH - 1:0] words [(1 << ADDRESS) - 1:0];
  integer index;
  initial for (index = 0; index < 1 << ADDRESS; index = index + 1) words[index] = {WIDTH{1'b1}};
  always @(posedge clk) begin
    if (w_en) words[w_addr] <= w_data;
    if (r_en) r_data <= w_en && w_addr == r_addr ? ~w_data : words[r_addr];
  end
endmodule
"""


@pytest.fixture(scope="module")
def modules():
    return emit(OutputStore(CONFIG))


def with_wrappers(text: str, content: dict[str, Any]) -> str:
    """A design with black boxes and what a user adds to it."""
    wrappers = [
        WRAPPER.format(
            module=each["module"],
            width=each["width"] - 1,
            address=max((each["depth"] - 1).bit_length(), 1) - 1,
        )
        for each in content["memories"]
    ]
    return f"`define {MACROS}\n" + text + "".join(wrappers) + MACRO


def wrapped(modules) -> str:
    text = verilog(modules, black_boxes=True)
    return with_wrappers(text, manifest(modules, text))


def test_ports_and_nothing_else(modules) -> None:
    plain, boxed = verilog(modules), verilog(modules, black_boxes=True)
    module = r"((?:// .*\n)*module block_memory_\w+ \(\n[^;]*\);\n)endmodule\n"
    box = re.compile(rf"`ifndef {MACROS}\n// Empty: .*\n\(\* blackbox \*\)\n{module}`endif\n")
    found = box.findall(boxed)
    assert len(found) == boxed.count("module block_memory_") == 1
    # Nothing else differs: with the content put back, every byte is the same.
    whole = re.search(re.escape(found[0]) + r".*?endmodule\n", plain, re.DOTALL)
    assert whole is not None
    assert "storage" in whole.group(0)
    assert box.sub(lambda _: whole.group(0), boxed) == plain
    assert verilog(modules, black_boxes=True) == boxed


def test_the_manifest_lists_them(modules) -> None:
    words = 2 * CONFIG.memory.output_tiles * CONFIG.rmc.cols
    width = 16 * CONFIG.rmc.rows
    for black_boxes in (False, True):
        content = manifest(modules, verilog(modules, black_boxes))
        assert content["memories"] == [
            {"module": f"block_memory_{width}x{words}", "width": width, "depth": words, "instances": 1}
        ]


def test_clean_with_wrappers(modules, tmp_path: Path) -> None:
    file = tmp_path / "wrapped.v"
    file.write_text(wrapped(modules))
    assert lint(file, "output_store") == []
    file.write_text(verilog(modules))
    assert lint(file, "output_store") == []


@pytest.mark.parametrize("stall", [(0.0, 0.0), (0.25, 0.25)])
def test_any_memory_will_do(modules, stall: tuple[float, float]) -> None:
    """The same outputs with a memory that spoils what nothing may rely on."""
    rng = np.random.default_rng(3)
    rows, cols = CONFIG.rmc.rows, CONFIG.rmc.cols
    tiles, side = 3 * CONFIG.memory.output_tiles, CONFIG.lvc.output_tokens
    fields = {"address": 0, "pitch": 4096, "tokens": cols, "outputs": tiles * rows, "row_tiles": tiles}
    taken: list[np.ndarray] = []
    for text in (verilog(modules), wrapped(modules)):
        player = Player.from_manifest(text, manifest(modules, text))
        streams = {each.name: each for each in player.streams}
        values = {name: np.array([value]) for name, value in fields.items()}
        if not taken:
            y = pack(streams["y"], {"payload": rng.integers(0, 1 << 16, (tiles * cols // side, side * rows))})
        words = tiles * rows * cols * 2 // CONFIG.bus.data_bytes
        result = player.run(
            {"instruction": pack(streams["instruction"], values), "y": y},
            {"request": 3 * cols, "words": words},
            stall=stall,
        )
        taken.append(unpack(streams["words"], result.outputs["words"])["data"])
    assert len(taken[0]) == words
    assert len(np.unique(taken[0])) > words // 2
    assert np.array_equal(taken[0], taken[1])


def test_a_processor_on_any_memory() -> None:
    """A program gives the Python machine's outputs, bit for bit, on memories that spoil all they may."""
    config = processor_config(1)
    layers, x = random_layers(config, 1, 3)
    compiled = compile_layers(layers, config, next(iter(x.values())).shape[0])
    report, _, outputs = execute(compiled, x)
    assert report.done
    design = generate_processor(config, black_boxes=True)
    assert len(design.manifest["memories"]) > 8
    executable = build(with_wrappers(design.verilog, design.manifest), design.manifest)
    processor = RtlProcessor(config, executable, waves=False)
    data = compiled.data({n: encode(x[n], config.numbers.data_format).numpy() for n in compiled.inputs})
    for model in (DramModel(), DramModel(latency=20, stall=0.25)):
        run = processor.run(compiled, bytes(data), model, limit=100_000)
        found = compiled.outputs(bytearray(run.data))
        assert len(outputs) == 3
        assert all(np.array_equal(found[name], outputs[name]) for name in outputs)


def test_the_core_has_none(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sevedo.gen", "verilog", "--config", "tiny", "--memories", "black-box", "--out", "x"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "memories=black-box must go with --top processor" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
