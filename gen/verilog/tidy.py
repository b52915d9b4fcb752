"""Text of generated RTLIL and Verilog made fit to read: one name per net, ports as declared, no tool noise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from sevedo.hw.unit import FAST_MACRO

_CONNECT = re.compile(r"connect \\(\S+) (.*)")
_WIRE = re.compile(r"  wire .*\\(\S+)")
_RESET = re.compile(r"\\rst\b")
_NAME = re.compile(r"\\([\w$]+)")
MACROS = "SEVEDO_MACROS"
"""Verilog macro that leaves out the black boxes, where a file of wrappers defines these modules."""

_BLACK_BOX = f"""`ifndef {MACROS}
// Empty: a wrapper around a macro takes its place, see docs/processor.md.
(* blackbox *)
{{}}`endif
"""
_CONNECTIONS = re.compile(r"(?:^    \.\w+\(.*\),?\n)+", re.MULTILINE)
_COLUMNS = 120
_INITIAL = re.compile(r"^  initial begin\n(?:    \w+\[\d+\] = \d+'[dh]0+;\n)+  end\n", re.MULTILINE)
_NOISE = ("attribute \\top ", "attribute \\generator ")


def tidy_rtlil(text: str) -> str:
    """Drop names of parts of arrays and records, marks of origin, an unused reset; make names plain identifiers."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(_NOISE)]
    lines = _keep_partial_names(_without_aliases(lines))
    if sum(len(_RESET.findall(line)) for line in lines if "rst" in line) == 1:
        lines = [line for line in lines if not re.fullmatch(r"  wire .*\\rst", line)]
    return re.sub(r"\\(\w+)([.$]\w+)+(?=\s|$)", lambda m: re.sub(r"[.$]", "_", m.group(0)), "\n".join(lines))


class ModuleText(NamedTuple):
    """What a module's text needs beyond what Yosys knows. `definition`: see `Unit.definition`.

    `apart`: have Verilator keep its code in one place. `black_box`: leave the content to a macro. `undefined`: what its
    memory holds at first is nobody's matter, so that nothing sets it.
    """

    name: str
    comment: str
    ports: Sequence[str]
    definition: str | None
    apart: bool = False
    black_box: bool = False
    undefined: bool = False


def tidy_verilog(text: str, modules: Sequence[ModuleText]) -> str:
    """Order modules as in `modules` and declare the ports in the header."""
    bodies = {
        match.group(1): match.group(0)
        for match in re.finditer(r"^module (\S+)\(.*?^endmodule\n", text, re.MULTILINE | re.DOTALL)
    }
    ordered = [_module(bodies.pop(module.name), module) for module in modules]
    return "\n".join(
        ordered + [_module(body, ModuleText(name, "", [], None)) for name, body in bodies.items()]
    )


def _without_aliases(lines: list[str]) -> list[str]:
    """Drop the names that Amaranth gives to parts of arrays and records: ``\\x[0]``, ``\\x.field``."""
    connected = {match.group(1) for line in lines if (match := _CONNECT.match(line))}
    aliases = {name for name in connected if re.search(r"[\[.]", name)}
    return [
        line
        for line in lines
        if not ((match := _CONNECT.match(line) or _WIRE.fullmatch(line)) and match.group(1) in aliases)
    ]


def _keep_partial_names(lines: list[str]) -> list[str]:
    """Hold names of parts of nets (a truncated sum, a sum with its sign repeated) apart from the nets themselves.

    Yosys would call those bits of the net by the name of the part; a sign-extended name would then be read from
    itself: a loop, in the eyes of Verilator. A buffer that may not be removed is written as a plain assignment.
    """
    uses: dict[str, int] = {}
    for line in lines:
        for name in _NAME.findall(line):
            uses[name] = uses.get(name, 0) + 1
    wires = [line for line in lines if line.startswith("  wire ")]
    ports = {line.split()[-1][1:] for line in wires if re.match(r"  wire .* (input|output) \d+ ", line)}
    widths = {
        m.group(2): int(m.group(1))
        for line in wires
        if (m := re.match(r"  wire width (\d+) .*?(\S+)$", line))
    }

    def width_of(sigspec: str) -> int:
        return widths[sigspec.split()[0]]

    kept: list[str] = []
    dropped: set[str] = set()
    for line in lines:
        match = _CONNECT.match(line)
        whole = re.fullmatch(r"[\\$](\S+)( \[(\d+)(:0)?\])?|\d+'[01x]*", match.group(2)) if match else None
        if match is None or (
            whole and (not whole.group(2) or int(whole.group(3)) + 1 == width_of(match.group(2)))
        ):
            kept.append(line)
        elif match.group(1) not in ports and uses[match.group(1)] == 2:
            dropped.add(match.group(1))
        else:
            name, value = match.groups()
            kept += [
                "  attribute \\keep 1", f"  cell $buf $part${name}", f"    parameter \\WIDTH {widths[chr(92) + name]}",
                f"    connect \\A {value}", f"    connect \\Y \\{name}", "  end",
            ]  # fmt: skip
    return [line for line in kept if not ((m := _WIRE.fullmatch(line)) and m.group(1) in dropped)]


def _module(body: str, module: ModuleText) -> str:
    """One module with its ports declared in the header, clock and reset first, then as the unit declares them."""
    head = re.match(r"module \S+\((.*?)\);\n", body, re.DOTALL)
    assert head is not None
    listed = re.findall(r"\w+", head.group(1))
    declared = []
    text = body[head.end() :]
    for port in [*sorted(set(listed) - set(module.ports)), *module.ports]:
        match = re.search(
            rf"^  (input|output) ((?:signed )?(?:\[\d+:\d+\] )?){port};\n  (wire|reg) [^;\n]*?\b{port}( = [^;]*)?;\n",
            text, re.MULTILINE,
        )  # fmt: skip
        assert match is not None, (module.name, port)
        direction, shape, kind, initial = match.groups()
        text = text[: match.start()] + text[match.end() :]
        if module.definition is not None and kind == "reg":  # a definition's outputs are wires
            inner = f"{port}_register"
            text = re.sub(rf"(?<![.\w]){port}\b", inner, text)
            text = f"  reg {shape}{inner}{initial or ''};\n  assign {port} = {inner};\n{text}"
            kind, initial = "wire", ""
        declared.append(f"  {direction:6} {kind:4} {shape}{port}{initial or ''}")
    text = _CONNECTIONS.sub(_in_lines, text)
    if (
        module.undefined
    ):  # a line for each word, which Yosys reads in a time that goes with the square of their number
        text = _INITIAL.sub("", text)
    text = re.sub(r" = ! (\w+(\[[\d:]+\])?);$", r" = ~| \1;", text, flags=re.MULTILINE)
    if module.definition is not None:
        gates = text.removesuffix("endmodule\n")
        text = f"`ifdef {FAST_MACRO}\n{module.definition.rstrip()}\n`else\n{gates}`endif\nendmodule\n"
    if module.black_box:
        text = "endmodule\n"
    if module.apart:
        text = f"  /* verilator no_inline_module */\n{text}"
    lines = "".join(f"// {line.strip()}\n" for line in module.comment.splitlines())
    whole = f"{lines}module {module.name} (\n" + ",\n".join(declared) + f"\n);\n{text}"
    return _BLACK_BOX.format(whole) if module.black_box else whole


def _in_lines(connections: re.Match[str]) -> str:
    """Connections of an instance, as many to a line as there is room for: a tree of adders has thousands."""
    lines = [""]
    for each in connections.group().split("\n")[:-1]:
        one = each.strip()
        if len(lines[-1]) + 1 + len(one) > _COLUMNS or not lines[-1]:
            lines.append(f"    {one}")
        else:
            lines[-1] += f" {one}"
    return "\n".join(lines[1:]) + "\n"
