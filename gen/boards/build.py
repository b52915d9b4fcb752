"""From a board and a configuration to a folder with a bitstream."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sevedo.gen.verilog.manifest import tool_versions

from . import tools
from .board import BoardError, Setting
from .fit import Usage, usage
from .place import Placed, place
from .plan import BITSTREAM, STAT, TOP, Plan, plan

RECORD, SUMS = "build.json", "SHA256SUMS"
FILES = ("utilization.json", "timing.json", "configuration.toml", RECORD, SUMS)
SCHEMA = 1


@dataclass(frozen=True)
class Built:
    """A bitstream.

    Members
    -------
    setting : what it was built for
    bitstream : its file
    usage : of the device, from synthesis
    placed : what each seed gave
    best : the seed that the bitstream is of
    """

    setting: Setting
    bitstream: Path
    usage: Usage
    placed: Sequence[Placed]
    best: int

    @property
    def worst_mhz(self) -> float:
        """The clock that every seed reaches."""
        return min(each.mhz for each in self.placed)


class TimingError(RuntimeError):
    """The clock asked for is not reached in the worst seed. The message is one line, with one that is.

    Members
    -------
    reached_mhz : what the worst seed reaches
    """

    def __init__(self, message: str, reached_mhz: float) -> None:
        super().__init__(message)
        self.reached_mhz = reached_mhz


def build(
    setting: Setting,
    folder: Path,
    seeds: Sequence[int],
    advance: Callable[[str], None] = lambda what: None,
) -> Built:
    """Make everything, beside, and rename it: `folder` appears whole or not at all.

    A build that fails leaves ``<folder>.failed`` with all that the tools said.

    Raises
    ------
    BoardError, ConfigError : it cannot be, or does not fit: said before place and route.
    ToolError : a tool is missing. ToolFailure : a tool ended with an error.
    TimingError : the clock is not reached.
    """
    check_folder(folder, setting.board.family)
    made = plan(setting)
    tools.require([made.commands[0][0], made.place(0)[0], made.commands[2][0]])
    real = Path(os.path.realpath(folder))
    real.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{real.name}.", dir=real.parent))
    try:
        counted, placed, best = _make(made, beside, seeds, advance)
    except (tools.ToolFailure, TimingError, BoardError) as error:
        failed = real.with_name(f"{real.name}.failed")
        shutil.rmtree(failed, ignore_errors=True)
        beside.rename(failed)
        told = str(error).replace(str(beside), str(failed))
        if isinstance(error, TimingError):
            raise TimingError(told, error.reached_mhz) from None
        raise type(error)(told) from None
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    mask = os.umask(0)
    os.umask(mask)
    beside.chmod(0o777 & ~mask)
    if real.exists():
        shutil.rmtree(real)
    beside.rename(real)
    return Built(setting, folder / BITSTREAM[setting.board.family], counted, placed, best)


def _make(
    made: Plan, folder: Path, seeds: Sequence[int], advance: Callable[[str], None]
) -> tuple[Usage, list[Placed], int]:
    setting = made.setting
    for name, text in made.files.items():
        (folder / name).write_text(text)
    advance("synthesis")
    tools.run(made.synthesis, folder, "synthesis.log")
    counted = usage(folder / STAT, setting.board.family, setting.board.resources)
    counted.check(setting.board.title)
    advance(f"place and route: {counted.used['luts']} LUTs, {100 * counted.share('luts'):.0f} %")
    placed = place(made, folder, seeds, lambda each: advance(f"seed {each.seed}: {each.mhz:.1f} MHz"))
    best = max(placed, key=lambda each: each.mhz)
    worst = min(each.mhz for each in placed)
    (folder / "timing.json").write_text(_json(_timing(setting, placed, best.seed)))
    if worst * 1e6 < setting.clock_hz:
        raise TimingError(
            f"clock_mhz={setting.clock_hz / 1e6:g} must be at most {worst:.1f}, what the worst of {len(placed)} seeds "
            f"reaches (the best: {best.mhz:.1f}); log: {folder / f'place_{best.seed}.log'}",
            worst,
        )
    advance("bitstream")
    tools.run(made.pack(best.seed), folder, "pack.log")
    ending = Path(BITSTREAM[setting.board.family]).suffix
    (folder / f"{TOP}_{best.seed}{ending}").rename(folder / BITSTREAM[setting.board.family])
    utilization = counted.data() | {"placed": best.utilization}
    (folder / "utilization.json").write_text(_json(utilization))
    (folder / "configuration.toml").write_text(setting.config.toml())
    (folder / RECORD).write_text(_json(_record(made, placed, best.seed)))
    for each in seeds:  # what only the tools need
        for name in (".config", ".svf", ".asc", ".pnr.json", ".tim"):
            (folder / f"{TOP}_{each}{name}").unlink(missing_ok=True)
    _write_sums(folder)
    return counted, placed, best.seed


def check_folder(folder: Path, family: str) -> None:
    """Refuse a folder that holds something else than a build.

    Raises
    ------
    BoardError : naming it.
    """
    real = Path(os.path.realpath(folder))
    if not folder.name:
        raise BoardError(f"out={folder} must name a folder of its own")
    if os.path.lexists(real) and (
        not real.is_dir() or (any(real.iterdir()) and not (real / RECORD).is_file())
    ):
        raise BoardError(f"out={folder} must be a new folder, or one with a build and nothing else")


def _timing(setting: Setting, placed: Sequence[Placed], best: int) -> dict[str, Any]:
    return {
        "clock_mhz": setting.clock_hz / 1e6,
        "worst_mhz": min(each.mhz for each in placed),
        "best_mhz": max(each.mhz for each in placed),
        "seeds": {str(each.seed): round(each.mhz, 2) for each in placed},
        "bitstream_of_seed": best,
        "longest_path": [dict(step) for each in placed if each.seed == best for step in each.path],
    }


def _record(made: Plan, placed: Sequence[Placed], best: int) -> dict[str, Any]:
    used = {command[0] for command in (made.synthesis, made.place(best), made.pack(best))}
    return {
        "schema": SCHEMA,
        **made.setting.data(),
        "fingerprint": made.setting.config.fingerprint,
        "seeds": [each.seed for each in placed],
        "bitstream": BITSTREAM[made.setting.board.family],
        "tools": {name: tools.version(name) for name in sorted(used)} | tool_versions(),
    }


def _write_sums(folder: Path) -> None:
    """A file that ``sha256sum --check`` takes, over all others."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}"
        for path in sorted(folder.iterdir())
        if path.is_file()
    ]
    (folder / SUMS).write_text("\n".join(lines) + "\n")


def _json(content: Any) -> str:
    return json.dumps(content, indent=2) + "\n"
