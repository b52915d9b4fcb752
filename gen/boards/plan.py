"""The files that the tools for a board take, and the commands that run them, from Amaranth's own platforms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sevedo.gen.verilog.emitter import emit, verilog
from sevedo.hw.board.array_board import ArrayBoard
from sevedo.hw.board.board import Board as BoardUnit
from sevedo.hw.unit import Unit

from .board import ARRAY, Setting
from .operators import with_operators
from .self_test import array_script, script
from .top import PinnedBoard

TOP = "top"
STAT = "synthesis.json"
"""What Yosys' ``stat`` told."""

# No memory is read where it is written in the same cycle (`BlockMemory`): else Yosys puts multiplexers around each.
SYNTHESIS = {
    "ecp5": "-no-rw-check -nowidelut",
    "ice40": "-device u -spram -dsp -abc9 -no-rw-check",
    "gowin": "-no-rw-check",
}
# Of a board that is half full, the electrostatic placer makes shorter wires, and sooner (docs/boards.md).
PLACEMENT = {"ecp5": ("--placer", "static"), "ice40": (), "gowin": ()}
BITSTREAM = {"ecp5": f"{TOP}.bit", "ice40": f"{TOP}.bin", "gowin": f"{TOP}.fs"}
"""What the last tool writes."""


@dataclass(frozen=True)
class Plan:
    """What is needed to build.

    Members
    -------
    setting : the board
    files : by name: Verilog, RTLIL of the top, constraints, script
    commands : Yosys, place and route, packing; each a list of words
    """

    setting: Setting
    files: Mapping[str, str]
    commands: tuple[tuple[str, ...], ...]

    @property
    def synthesis(self) -> tuple[str, ...]:
        """The command that makes the netlist."""
        return self.commands[0]

    def place(self, seed: int) -> tuple[str, ...]:
        """The command that places and routes, with a seed."""
        command = [_seeded(word, seed) for word in self.commands[1]]
        family, mhz = self.setting.board.family, self.setting.clock_hz / 1e6
        common = [
            "--seed",
            str(seed),
            "--freq",
            f"{mhz:.3f}",
            "--timing-allow-fail",
            "--report",
            timing(seed),
            *PLACEMENT[family],
        ]
        if family == "gowin":
            at = command.index("--family")
            device = command[at + 1]
            at_cst = command.index("--cst")
            constraints = command[at_cst + 1]
            kept = command[:at_cst] + command[at_cst + 2 :]
            del kept[at : at + 2]
            kept[0] = "nextpnr-himbaechel-gowin"
            return (*kept, "--vopt", f"family={device}", "--vopt", f"cst={constraints}", *common)
        return (*command, *common)

    def pack(self, seed: int) -> tuple[str, ...]:
        """The command that makes the bitstream of a seed."""
        return tuple(_seeded(word, seed) for word in self.commands[2])


def plan(setting: Setting) -> Plan:
    """Generate a board and all that its tools need.

    Raises
    ------
    BoardError, ConfigError : it cannot be.
    """
    platform = setting.board.make_platform()
    platform.add_file("board.v", board_verilog(setting))
    made = platform.prepare(
        PinnedBoard(setting),
        TOP,
        emit_src=False,
        synth_opts=SYNTHESIS[setting.board.family],
        script_after_synth=f"tee -q -o {STAT} stat -json",
    )
    files = {name: text if isinstance(text, str) else text.decode() for name, text in made.files.items()}
    commands = json.loads(files[f"build_{TOP}.json"])["commands"]
    kept = {
        name: text for name, text in files.items() if not name.startswith("build_") and ".debug." not in name
    }
    return Plan(setting, kept, tuple(tuple(command) for command in commands))


def board_verilog(setting: Setting) -> str:
    """The Verilog of everything but clock and pins, module `board`."""
    config, rates = setting.config, (setting.clock_hz, setting.baud)
    unit: Unit
    if setting.board.kind == ARRAY:
        unit = ArrayBoard(config, *rates, array_script(config))
    else:
        unit = BoardUnit(config, setting.memory, *rates, script(config))
    modules = emit(unit)
    return with_operators(verilog(modules), modules)


def timing(seed: int) -> str:
    """The report of a seed."""
    return f"timing_{seed}.json"


def _seeded(word: str, seed: int) -> str:
    """A file that each seed makes one of."""
    names: dict[str, Any] = {
        f"{TOP}{ending}": f"{TOP}_{seed}{ending}"
        for ending in (".tim", ".config", ".bit", ".svf", ".asc", ".bin", ".pnr.json", ".fs")
    }
    return names.get(word, word)
