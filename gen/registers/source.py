"""The description in SystemRDL, read into plain data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from systemrdl import RDLCompiler
from systemrdl.node import AddrmapNode, FieldNode, RegfileNode, RegNode
from systemrdl.rdltypes import AccessType, OnWriteType

from sevedo.gen.config.registers import Field, Kind, Meaning, Register

SOURCE = Path(__file__).with_name("processor.rdl")
"""The processor's registers."""

BOARD = Path(__file__).with_name("board.rdl")
"""Those of a board around it."""


class RegisterError(ValueError):
    """A field that hardware cannot be made for. The message names it."""


def elaborate(source: Path = SOURCE) -> AddrmapNode:
    """The elaborated address map of an RDL file, as PeakRDL's exporters take it."""
    compiler = RDLCompiler()
    compiler.compile_file(str(source))
    return compiler.elaborate().top


def read(source: Path = SOURCE) -> tuple[Register, ...]:
    """All registers of an RDL file, by offset; names of nested ones are joined by an underscore.

    Raises
    ------
    RegisterError : for a register of another width than 32, or a field whose properties fit no `Kind`.
    """
    found = [
        _register(node) for node in elaborate(source).descendants(unroll=True) if isinstance(node, RegNode)
    ]
    return tuple(sorted(found, key=lambda register: register.offset))


def _register(node: RegNode) -> Register:
    if node.get_property("regwidth") != 32:
        raise RegisterError(f"{node.get_path()}: regwidth={node.get_property('regwidth')} must be 32")
    path: list[Any] = [node]
    while isinstance(path[0].parent, RegfileNode):
        path.insert(0, path[0].parent)
    return Register(
        name="_".join(part.inst_name for part in path),
        offset=node.absolute_address,
        fields=tuple(_field(field) for field in node.fields()),
        description=" ".join(filter(None, (_text(part) for part in path))),
    )


def _field(node: FieldNode) -> Field:
    meanings = node.get_property("encode")
    reset: Any = node.get_property("reset")
    kind = _kind(node)
    return Field(
        name=node.inst_name,
        low=node.low,
        width=node.width,
        kind=kind,
        reset=reset or 0,
        description=_text(node),
        increment=node.get_property("incrwidth") or 1 if kind is Kind.COUNTER else 0,
        meanings=tuple(Meaning(each.name, each.value, each.rdl_desc or "") for each in meanings or ()),
    )


def _kind(node: FieldNode) -> Kind:
    software, hardware = node.get_property("sw"), node.get_property("hw")
    sticky = node.get_property("onwrite") is OnWriteType.woclr and node.get_property("hwset")
    for kind, fits in (
        (Kind.PULSE, software is AccessType.w and node.get_property("singlepulse")),
        (Kind.STICKY, software is AccessType.rw and sticky),
        (Kind.LOCKED, software is AccessType.rw and node.get_property("swwel")),
        (Kind.STORED, software is AccessType.rw and node.get_property("onwrite") is None),
        (Kind.COUNTER, software is AccessType.r and node.get_property("counter")),
        (Kind.LATCH, software is AccessType.r and node.get_property("latched")),
        (Kind.VALUE, software is AccessType.r and hardware is AccessType.w),
        (Kind.CONSTANT, software is AccessType.r and hardware is AccessType.na),
    ):
        if fits:
            return kind
    raise RegisterError(
        f"{node.get_path()}: sw={software.name}, hw={hardware.name} and its properties fit nothing"
    )


def _text(node: Any) -> str:
    """A description on one line."""
    return " ".join((node.get_property("desc") or "").split())
