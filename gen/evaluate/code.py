"""What figures are made with: kept ones are of this code or not taken."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import sevedo.gen.config
import sevedo.ref
from sevedo.sim.toolchain import digest


@cache
def code() -> str:
    """A digest of all code that decides a figure, but for comments, docstrings and layout."""
    folders = [Path(next(iter(sevedo.ref.__path__))), Path(next(iter(sevedo.gen.config.__path__)))]
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    return digest(*(_meaning(file.read_text(encoding="utf-8")) for file in files))


def _meaning(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                part
                for part in body
                if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            ]
    return ast.dump(tree)
