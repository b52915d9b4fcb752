"""Deliberate faults: a unit with something else in its source."""

from __future__ import annotations

import inspect
import sys

from sevedo.hw.unit import Unit


def faulty(unit: type[Unit], old: str, new: str) -> type[Unit]:
    """The class of `unit` with a fault in its source; `old` stands there once."""
    module = sys.modules[unit.__module__]
    source = inspect.getsource(module)
    assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in {module.__file__}"
    space = dict(vars(module))
    exec(compile(source.replace(old, new), str(module.__file__), "exec"), space)
    found: type[Unit] = space[unit.__name__]
    return found
