"""A configuration's core, or its processor, as text: Verilog and manifest together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sevedo.gen.config import Config
from sevedo.hw.core.core import Core
from sevedo.hw.processor.processor import Processor
from sevedo.hw.unit import Unit

from .emitter import emit, verilog
from .manifest import StreamPort, manifest, manifest_text


@dataclass(frozen=True)
class Design:
    """What `sevedo verilog` writes.

    Members
    -------
    top : name of the top module
    verilog : the whole design, stand-alone
    manifest : content of manifest.json
    """

    top: str
    verilog: str
    manifest: dict[str, Any]

    @property
    def manifest_text(self) -> str:
        """The bytes of manifest.json."""
        return manifest_text(self.manifest)

    @property
    def streams(self) -> tuple[StreamPort, ...]:
        """Streams at the ports of the top."""
        return tuple(StreamPort.from_dict(entry) for entry in self.manifest["streams"])


def generate(config: Config) -> Design:
    """Elaborate the core of `config` and write it as Verilog. The same configuration gives the same bytes."""
    return _design(Core(config), config)


def generate_processor(config: Config, black_boxes: bool = False) -> Design:
    """The same of the processor: a core with memories, buses and a controller (docs/processor.md).

    With `black_boxes` its memories are empty modules, for macros.

    Raises
    ------
    ConfigError : a configuration whose memories do not fit its bus.
    """
    return _design(Processor(config), config, black_boxes)


def _design(unit: Unit, config: Config, black_boxes: bool = False) -> Design:
    modules = emit(unit)
    text = verilog(modules, black_boxes)
    return Design(modules[-1].name, text, manifest(modules, text, config.model_dump()))
