"""Boards to run programs on: small ones that are soon compiled, and what the tests in the simulation must know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from sevedo.gen.boards.board import Setting, board_named
from sevedo.gen.boards.plan import TOP, plan
from sevedo.gen.compile import Compiled, compile_layers, save_compiled
from sevedo.gen.config import Config
from sevedo.ref.linear import quantize_linear
from sevedo.ref.machine import run as run_machine
from sevedo.ref.models.minilm import MiniLm
from sevedo.ref.rounding import encode
from sevedo.ref.workloads import SENTENCES
from sevedo.sim.board.runner import run_board
from sevedo.sim.board.sources import board_sources

ULX3S_PINS: dict[str, Any] = {
    "clock": "clk25_0__io", "rx": "uart_0__rx__io", "tx": "uart_0__tx__io", "button": "button_fire_0__io",
    "pressed": 1, "leds": [(f"led_{number}__io", 1) for number in range(8)],
}  # fmt: skip


ICEBREAKER_PINS: dict[str, Any] = {
    "clock": "clk12_0__io", "rx": "uart_0__rx__io", "tx": "uart_0__tx__io", "button": "button_0__io",
    "pressed": 0, "leds": [("led_g_0__io", 0), ("led_r_0__io", 0)],
}  # fmt: skip


def icebreaker(config: Config) -> Setting:
    """The smallest board, which has an array alone."""
    return Setting.of(board_named("icebreaker"), config)


def ulx3s(config: Config, memory_kib: int, **options: Any) -> Setting:
    """The board that is built first."""
    return Setting.of(board_named("ulx3s-85f"), config, memory_kib=memory_kib, **options)


def save(folder: Path, compiled: Compiled, data: bytes, wanted: bytes) -> None:
    """What a bench in the simulation reads."""
    save_compiled(folder / "program", compiled)
    (folder / "data.bin").write_bytes(data)
    (folder / "wanted.bin").write_bytes(wanted)


def minilm_slice(folder: Path, config: Config, inputs: int, outputs: int, tokens: int) -> None:
    """A part of a real layer with real activations, compiled, and what the golden machine makes of it."""
    model = MiniLm()
    first, calibration = (model.block_layers(sentence, 0)[0] for sentence in SENTENCES[:2])
    weight = first.weight.detach()[:outputs, :inputs].double()
    bias = None if first.bias is None else first.bias.detach()[:outputs].double()
    x = first.activations.detach()[:tokens, :inputs].double()
    layer = quantize_linear(weight, bias, calibration.activations.detach()[:, :inputs].double(), config, 4)
    compiled = compile_layers({first.name: layer}, config, tokens)
    data = compiled.data({first.name: encode(x, config.numbers.data_format).numpy()})
    before = bytes(data)
    assert run_machine(config, compiled.image, data, compiled.program).done
    golden = layer.run(x).output_bits
    assert torch.equal(torch.from_numpy(compiled.outputs(data)[first.name].astype("int64")), golden)
    assert len(golden.unique()) > golden.numel() // 2
    save(folder, compiled, before, bytes(data))


def simulate(setting: Setting, folder: Path, testcase: str | None = None, **options: Any) -> int:
    """Run the benches of `board_benches` on the top level that goes into the bitstream."""
    made = plan(setting)
    verilog = options.pop("verilog", None) or board_sources(made)
    places = ULX3S_PINS if setting.board.family == "ecp5" else ICEBREAKER_PINS
    parameters = {
        "pins": places,
        "pll": options.pop("pll", ["clocking", "pll", "oscillator"] if setting.pll else None),
        "oscillator_hz": setting.board.oscillator_hz,
        "clock_hz": setting.clock_hz,
        "baud": setting.baud,
        "memory_bytes": setting.memory,
        "folder": str(folder),
        "timeout": 0.004,
        "self_test_us": 1000,
        "bytes_per_fault": 400,
        **options,
    }
    pins = [places[name] for name in ("clock", "rx", "tx", "button")]
    pins += [name for name, _ in places["leds"]]
    return run_board(verilog, TOP, pins, "board_benches", parameters=parameters, testcase=testcase)
