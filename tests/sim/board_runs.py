"""Boards to run programs on: small ones that are soon compiled, and what the tests in the simulation must know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sevedo.gen.boards.board import Setting, board_named
from sevedo.gen.boards.plan import TOP, plan
from sevedo.gen.compile import Compiled, save_compiled
from sevedo.gen.config import Config
from sevedo.sim.board.runner import run_board
from sevedo.sim.board.sources import board_sources

ULX3S_PINS: dict[str, Any] = {
    "clock": "clk25_0__io", "rx": "uart_0__rx__io", "tx": "uart_0__tx__io", "button": "button_fire_0__io",
    "pressed": 1, "leds": [(f"led_{number}__io", 1) for number in range(8)],
}  # fmt: skip


def ulx3s(config: Config, memory_kib: int, **options: Any) -> Setting:
    """The board that is built first."""
    return Setting.of(board_named("ulx3s-85f"), config, memory_kib=memory_kib, **options)


def save(folder: Path, compiled: Compiled, data: bytes, wanted: bytes) -> None:
    """What a bench in the simulation reads."""
    save_compiled(folder / "program", compiled)
    (folder / "data.bin").write_bytes(data)
    (folder / "wanted.bin").write_bytes(wanted)


def simulate(setting: Setting, folder: Path, testcase: str | None = None, **options: Any) -> int:
    """Run the benches of `board_benches` on the top level that goes into the bitstream."""
    made = plan(setting)
    verilog = options.pop("verilog", None) or board_sources(made)
    parameters = {
        "pins": ULX3S_PINS,
        "pll": options.pop("pll", ["clocking", "pll", "oscillator"]),
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
    pins = [ULX3S_PINS[name] for name in ("clock", "rx", "tx", "button")]
    pins += [name for name, _ in ULX3S_PINS["leds"]]
    return run_board(verilog, TOP, pins, "board_benches", parameters=parameters, testcase=testcase)
