"""Delay of an inverter of a library that drives four like it: the yardstick by which times of macros are scaled."""

from __future__ import annotations

import re
import tempfile
from fnmatch import fnmatch
from pathlib import Path

from sevedo.gen.synth import liberty
from sevedo.gen.synth import library as library_module
from sevedo.gen.synth import measure as flow
from sevedo.gen.synth.library import Library
from sevedo.gen.synth.measure import SynthesisError

STAGES = 8

Inverter = tuple[float, str, str, str]
"""Area, name, input, output."""


def inverters(text: str) -> list[Inverter]:
    """The inverters of a Liberty text, the smallest first."""
    found = []
    for name, body in liberty.groups(text, "cell"):
        pins = {pin: liberty.FUNCTION.search(content) for pin, content in liberty.groups(body, "pin")}
        inputs = [pin for pin, function in pins.items() if function is None]
        outputs = [(pin, function.group(1)) for pin, function in pins.items() if function]
        area = liberty.AREA.search(body)
        avoided = any(fnmatch(name, glob) for glob in liberty.NEVER)
        if len(inputs) != 1 or len(outputs) != 1 or area is None or avoided:
            continue
        if liberty.truth_table(outputs[0][1], (inputs[0],)) == [1, 0]:
            found.append((float(area.group(1)), name, inputs[0], outputs[0][0]))
    return sorted(found)


def fo4_ns(cells: Library) -> float:
    """The mean of rise and fall in ns in the middle of a chain, of the fastest inverter up to twice the smallest area.

    Raises
    ------
    SynthesisError : OpenSTA failed.
    """
    texts = [library_module.slim(library_module.read(path)) for path in cells.paths]
    known = sorted(one for text in texts for one in inverters(text))
    chosen = [one for one in known if one[0] <= 2 * known[0][0]]
    with tempfile.TemporaryDirectory(prefix="sevedo-fo4-") as folder:
        work = Path(folder)
        names = flow.prepare(work, _chains(chosen), cells.paths, adder_cells=False)
        said = flow.run_sta(
            work,
            [
                *(f"read_liberty {one}" for one in names),
                "set_cmd_units -time ns",
                "read_verilog unit.v",
                "link_design chains",
                "create_clock -name clock -period 1000",
                "set_input_delay 0 -clock clock [all_inputs]",
                "set_output_delay 0 -clock clock [all_outputs]",
                *(f"report_checks -to y{place} -digits 6" for place in range(len(chosen))),
            ],
        )
    first, last = 1, STAGES - 2
    delays = []
    for place in range(len(chosen)):
        steps = re.finditer(rf"^\s+[\d.]+\s+([\d.]+)\s+[\^v]\s+i{place}_(\d+)/\S+ ", said, re.MULTILINE)
        times = {int(step.group(2)): float(step.group(1)) for step in steps}
        if {first, last} <= times.keys():
            delays.append((times[last] - times[first]) / (last - first))
    if not delays:
        raise SynthesisError("sta tells no delay of a chain of inverters", said)
    return min(delays)


def _chains(chosen: list[Inverter]) -> str:
    """A module with a chain of each inverter; every one drives four."""
    ports, lines = [], []
    for place, (_, name, pin, out) in enumerate(chosen):
        ports += [f"input a{place}", f"output y{place}"]
        nets = [f"a{place}", *(f"n{place}_{stage}" for stage in range(1, STAGES)), f"y{place}"]
        lines += [f"  wire {net};" for net in nets[1:-1]]
        for stage in range(STAGES):
            lines.append(f"  {name} i{place}_{stage} (.{pin}({nets[stage]}), .{out}({nets[stage + 1]}));")
            for load in range(3):
                lines.append(f"  wire l{place}_{stage}_{load};")
                lines.append(
                    f"  {name} x{place}_{stage}_{load} (.{pin}({nets[stage + 1]}), .{out}(l{place}_{stage}_{load}));"
                )
    return f"module chains ({', '.join(ports)});\n" + "\n".join(lines) + "\nendmodule\n"
