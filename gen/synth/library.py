"""A standard-cell library: its Liberty files read, checked and made small."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

from sevedo.gen.synth import liberty

_BULKY = re.compile(
    r"\b(?:timing|internal_power|leakage_power|receiver_capacitance\w*|output_current_\w+|normalized_driver_waveform)"
    r"\s*\([^()]*\)\s*\{"
)
_NAND = (1, 1, 1, 0)
_GATES = (_NAND, (1, 0, 0, 0), (0, 0, 0, 1), (0, 1, 1, 1))


class LibertyError(ValueError):
    """A library that cannot be used. The message is one line that names the file or cell and the rule."""


def read(path: Path) -> str:
    """The text of a Liberty file, gzip-compressed or not.

    Raises
    ------
    LibertyError : when it cannot be read, is no Liberty file or is cut short.
    """
    try:
        if path.exists() and not path.is_file():
            raise LibertyError(f"liberty={path} must be a regular file")
        content = path.read_bytes()
        text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode(errors="replace")
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise LibertyError(f"liberty={path} is a damaged gzip file") from None
    except OSError as error:
        raise LibertyError(f"liberty={path} cannot be read: {error.strerror}") from None
    if not re.search(r"^\s*library\s*\([^()]*\)\s*\{", text, re.MULTILINE):
        raise LibertyError(f"liberty={path} is not a Liberty file: it has no group library (name) {{ ... }}")
    if text.count("{") > text.count("}"):
        raise LibertyError(f"liberty={path} is cut short: not every group in it is closed")
    return text


def slim(text: str) -> str:
    """A Liberty text without tables of timing and power, which are most of it: what tells cells, pins and areas."""
    kept, end = [], 0
    while head := _BULKY.search(text, end):
        kept.append(text[end : head.start()])
        end = liberty.closing(text, head.end()) + 1
    return "".join(kept) + text[end:]


def variety(text: str) -> int:
    """How many different functions the cells of a Liberty text have."""
    return len(set(liberty.FUNCTION.findall(text)))


def check(texts: Sequence[str]) -> None:
    """Whether a unit can be mapped to a library that is in these texts, slim or not.

    Raises
    ------
    LibertyError : no cells; one twice; logic without an area; no flip-flop, no inverter or no gate of two inputs.
    """
    cells = [cell for text in texts for cell in liberty.groups(text, "cell")]
    if not cells:
        raise LibertyError("the library must have cells: there is no group cell (name) { ... }")
    seen: set[str] = set()
    flip_flop = inverter = False
    for name, body in cells:
        if name in seen:
            raise LibertyError(f"cell {name} must be in the library once; give the files of one library only")
        seen.add(name)
        functions = liberty.FUNCTION.findall(body)
        if any(fnmatch(name, glob) for glob in liberty.NEVER) or not functions:
            continue
        area = liberty.AREA.search(body)
        if area is None or not float(area.group(1)):
            raise LibertyError(f"cell {name} must have an area above 0")
        if state := re.search(r"\b(ff|latch|statetable)\s*\(", body):
            flip_flop |= state.group(1) == "ff"
        else:
            inverter |= any(
                liberty.truth_table(_of_one(function), ("A",)) == [1, 0] for function in functions
            )
    if not flip_flop:
        raise LibertyError("the library must have a flip-flop: no cell has a group ff (...) { ... }")
    if not inverter:
        raise LibertyError('the library must have an inverter: no cell has a function like "!A"')
    if not any(liberty.gate(text, table) for text in texts for table in _GATES):
        raise LibertyError("the library must have a NAND, NOR, AND or OR of two inputs")


def library_name(text: str) -> str:
    """The name that a Liberty file gives its library."""
    head = re.search(r"^\s*library\s*\(\s*\"?([^()\"]*?)\"?\s*\)", text, re.MULTILINE)
    return head.group(1) if head else ""


def _of_one(function: str) -> str:
    """A function of one input, that input being called A; of others as it is."""
    names = set(re.findall(r"[A-Za-z]\w*", function))
    return function.replace(names.pop(), "A") if len(names) == 1 else function


@dataclass(frozen=True)
class Facts:
    """What reports tell of a library.

    Members
    -------
    nand_area : of the smallest NAND of two inputs, what a gate equivalent is; None where there is none
    areas : of all cells
    flip_flops : names of the cells that are flip-flops
    outputs : output pins of all cells, as ``cell/pin``
    """

    nand_area: float | None
    areas: Mapping[str, float]
    flip_flops: frozenset[str]
    outputs: frozenset[str]


@dataclass(frozen=True)
class Library:
    """A library that units can be mapped to.

    Members
    -------
    paths : its files
    names : what each file calls its library
    digest : of the content of all files, in any order
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    digest: str = field(repr=False)

    @cached_property
    def facts(self) -> Facts:
        """What reports tell of the library."""
        texts = [slim(read(path)) for path in self.paths]
        nands = [found for text in texts if (found := liberty.gate(text, _NAND))]
        cells = {name: body for text in texts for name, body in liberty.groups(text, "cell")}
        areas = {
            name: float(area.group(1)) for name, body in cells.items() if (area := liberty.AREA.search(body))
        }
        flip_flops = frozenset(name for name, body in cells.items() if re.search(r"\bff\s*\(", body))
        outputs = frozenset(
            f"{name}/{pin}"
            for name, body in cells.items()
            for pin, content in liberty.groups(body, "pin")
            if re.search(r"\bdirection\s*:\s*\"?output", content)
        )
        return Facts(min((nand.area for nand in nands), default=None), areas, flip_flops, outputs)

    @classmethod
    def load(cls, paths: Sequence[Path]) -> Library:
        """Read and check the files of one library.

        Raises
        ------
        LibertyError : when a file cannot be used, or the library has not what a unit needs.
        """
        texts = [read(path) for path in paths]
        check([slim(text) for text in texts])
        digests = sorted(hashlib.sha256(text.encode()).hexdigest() for text in texts)
        digest = hashlib.sha256("".join(digests).encode()).hexdigest()
        return cls(tuple(paths), tuple(library_name(text) for text in texts), digest)


def library_label(names: Sequence[str]) -> str:
    """What a library is called in tables: the common beginning of its files' `names`."""
    common = "".join(names[:1])  # nothing, where a report names no library
    for name in names[1:]:
        while not name.startswith(common):
            common = common[:-1]
    return re.sub(r"[_\W]+$", "", common) or "".join(names[:1])
