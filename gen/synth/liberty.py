"""What the flow must know about cells of a Liberty file beyond what Yosys and OpenSTA read themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch

from sevedo.gen.synth import expression

NEVER = ("*lpflow*", "*probe*", "*macro_sparecell*")
"""Cells that open flows exclude: power gating, probes, spares (as globs)."""

AREA = re.compile(r"\barea\s*:\s*\"?((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
FUNCTION = re.compile(r"\bfunction\s*:\s*\"([^\"]*)\"")


@dataclass(frozen=True)
class AdderCell:
    """A library's full adder: pins of a, b, c; (pin, inverted) of sum and carry."""

    name: str
    area: float
    inputs: tuple[str, str, str]
    sum: tuple[str, bool]
    carry: tuple[str, bool]

    def verilog(self) -> str:
        """A module ``full_adder`` made of this cell."""
        pins = dict(zip(self.inputs, "abc", strict=True)) | {self.sum[0]: "s", self.carry[0]: "t"}
        joined = ", ".join(f".{pin}({net})" for pin, net in pins.items())
        return (
            "module full_adder(input a, input b, input c, output sum, output carry);\n  wire s, t;\n"
            f"  {self.name} cell_ ({joined});\n"
            f"  assign sum = {'~' * self.sum[1]}s;\n  assign carry = {'~' * self.carry[1]}t;\nendmodule\n"
        )


@dataclass(frozen=True)
class Gate:
    """A cell of two inputs and one output."""

    name: str
    area: float
    inputs: tuple[str, str]
    output: str

    def verilog(self, instance: str, a: str, b: str, y: str) -> str:
        """An instance of this cell."""
        return f"  {self.name} {instance} (.{self.inputs[0]}({a}), .{self.inputs[1]}({b}), .{self.output}({y}));\n"


def full_adder(text: str) -> AdderCell | None:
    """The smallest full adder of a library, or None: found by what its outputs compute, not by name."""
    found = []
    for name, body in groups(text, "cell"):
        pins = {pin: _function(content) for pin, content in groups(body, "pin")}
        inputs = tuple(sorted(pin for pin, function in pins.items() if function is None))
        outputs = {pin: function for pin, function in pins.items() if function is not None}
        if len(inputs) != 3 or len(outputs) != 2:
            continue
        roles = {_role(function, inputs): pin for pin, function in outputs.items()}
        sums = [(pin, inverted) for (role, inverted), pin in roles.items() if role == "sum"]
        carries = [(pin, inverted) for (role, inverted), pin in roles.items() if role == "carry"]
        area = AREA.search(body)
        if sums and carries and area:
            found.append(AdderCell(name, float(area.group(1)), inputs, sums[0], carries[0]))
    return min(found, key=lambda cell: (cell.area, cell.name), default=None)


def gate(text: str, table: tuple[int, int, int, int]) -> Gate | None:
    """The smallest gate of two inputs whose output for 00, 01, 10, 11 is `table`, or None."""
    found = []
    for name, body in groups(text, "cell"):
        pins = {pin: _function(content) for pin, content in groups(body, "pin")}
        area = AREA.search(body)
        names = sorted(pin for pin, function in pins.items() if function is None)
        outputs = [(pin, function) for pin, function in pins.items() if function is not None]
        if len(names) != 2 or len(outputs) != 1 or not area or any(fnmatch(name, glob) for glob in NEVER):
            continue
        inputs = (names[0], names[1])
        if truth_table(outputs[0][1], inputs) == list(table):
            found.append(Gate(name, float(area.group(1)), inputs, outputs[0][0]))
    return min(found, key=lambda cell: (cell.area, cell.name), default=None)


def groups(text: str, kind: str) -> Iterator[tuple[str, str]]:
    """Name and body of every group ``kind (name) { body }`` in `text`."""
    for head in re.finditer(rf"\b{kind}\s*\(\s*\"?([^\")\s]+)\"?\s*\)\s*\{{", text):
        yield head.group(1), text[head.end() : closing(text, head.end())]


def closing(text: str, start: int) -> int:
    """Where the group whose body begins at `start` is closed; the end of the text if it is not."""
    depth = 1
    for brace in re.compile(r"[{}]").finditer(text, start):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return brace.start()
    return len(text)


def _function(pin: str) -> str | None:
    match = FUNCTION.search(pin)
    return match.group(1) if match else None


def _role(function: str, inputs: tuple[str, ...]) -> tuple[str, bool]:
    """Whether a Boolean function is the sum or the carry of its inputs, possibly inverted."""
    table = truth_table(function, inputs)
    for role, want in (("sum", [0, 1, 1, 0, 1, 0, 0, 1]), ("carry", [0, 0, 0, 1, 0, 1, 1, 1])):
        if table == want:
            return role, False
        if [1 - bit for bit in table] == want:
            return role, True
    return "other", False


def truth_table(function: str, inputs: tuple[str, ...]) -> list[int]:
    """Truth table of a Liberty function of `inputs`, the first being the highest bit; empty if it is of others."""
    try:
        return expression.table(function, inputs[::-1]).astype(int).tolist()
    except expression.ExpressionError:
        return []
