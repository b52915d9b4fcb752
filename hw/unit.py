"""The base of every hardware block: a component whose Verilog module is emitted once.

Amaranth writes a module anew for every instance. A `Unit` knows the parameters it was built with, so that the emitter
(`sevedo.gen.verilog`) can recognise equal units, emit one module and instantiate it by name. Without an emitter (in
Amaranth's own simulator, say) a unit elaborates like any component.
"""

from __future__ import annotations

import inspect
from typing import Any, Protocol

from amaranth.hdl import *
from amaranth.lib import wiring

FAST_MACRO = "SEVEDO_FAST"
"""Verilog macro that makes long simulations compile the `definition` of units instead of their gates."""


class Emitter(Protocol):
    """What a unit needs of the emitter that elaborates it."""

    def is_top(self, unit: Unit) -> bool:
        """Whether `unit` is the module being written now, rather than an instance inside it."""

    def instantiate(self, unit: Unit) -> Elaboratable:
        """An instance of the module of `unit`, which is written elsewhere, once."""


class Unit(wiring.Component):
    """A component that is emitted once for each distinct set of parameters.

    A subclass implements `build` (as `elaborate` of a component) and `module_name`. Parameters must be hashable and
    compare by value: two units of one class with equal parameters are the same hardware.

    Members that nest (streams, records) become ports joined by one underscore; a stream's payload fields carry the
    stream's name: ``x_valid``, ``x_ready``, ``x_codes``.
    """

    parameters: dict[str, Any]
    also_reset: Value | None = None
    """What resets the unit besides the reset of its clock; its parent may set it before elaboration."""

    undefined_at_first: bool = False
    """Whether words of its memory are undefined until they are written; then its Verilog sets none at the start."""

    # A unit is also made just to ask its sizes or its identity, so Amaranth's warning about unused ones would be noise.
    _MustUse__silence = True

    def __new__(cls, *args: Any, **kwargs: Any) -> Unit:
        unit = super().__new__(cls)
        bound = inspect.signature(cls.__init__).bind(unit, *args, **kwargs)
        bound.apply_defaults()
        unit.parameters = {name: value for name, value in bound.arguments.items() if name != "self"}
        return unit

    @property
    def module_name(self) -> str:
        """Name of the Verilog module: a legal identifier, distinct for distinct parameters."""
        raise NotImplementedError

    @property
    def identity(self) -> tuple[type, tuple[tuple[str, Any], ...]]:
        """Equal for units that are the same hardware."""
        return type(self), tuple(sorted(self.parameters.items()))

    @property
    def definition(self) -> str | None:
        """The unit's function as plain Verilog statements over its ports, where gates are slow to simulate.

        It stands in the module beside the gates and is compiled instead of them when the macro `FAST_MACRO` is
        defined: the same function, by its definition. Tests hold the gates to it.
        """
        return None

    def build(self) -> Module:
        """The hardware of this unit, as `elaborate` of any component."""
        raise NotImplementedError

    def elaborate(self, platform: Any) -> Elaboratable:
        """The unit itself, or an instance of its module when an emitter is writing its parent."""
        if hasattr(platform, "instantiate") and not platform.is_top(self):
            return platform.instantiate(self)
        return self.build() if self.also_reset is None else ResetInserter(self.also_reset)(self.build())
