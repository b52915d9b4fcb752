"""A processor that is soon compiled and soon done, and programs for it whose results are known."""

from __future__ import annotations

from dataclasses import dataclass

from programs import random_layers

from sevedo.gen.compile import Compiled, compile_layers
from sevedo.gen.config import Config
from sevedo.gen.config.instructions import INSTRUCTION_BYTES
from sevedo.ref.machine import run as run_machine
from sevedo.ref.rounding import encode

SMALL = {
    "rmc__rows": 2, "rmc__cols": 2, "rmc__lanes": 4, "groups__fine": 8, "groups__coarse": 16, "lvc__lanes": 4,
    "lvc__ranks": 2, "lvc__max_rank": 8, "memory__iomem_kib": 1, "memory__weights_kib": 1, "memory__inputs": 96,
    "memory__output_tiles": 4, "limits__inputs": 96, "limits__outputs": 64, "limits__tokens": 16, "bus__burst": 4,
}  # fmt: skip


def small_config() -> Config:
    """The processor's configuration: with integer classes, and bursts so short that they are many."""
    config = Config.load("tiny").replace(**SMALL)
    config.check_processor()
    return config


@dataclass(frozen=True)
class Good:
    """A program that runs, with its data before and after."""

    compiled: Compiled
    data: bytes
    wanted: bytes

    @property
    def code(self) -> list[bytes]:
        """Its instructions."""
        image, at, size = self.compiled.image, self.compiled.program, INSTRUCTION_BYTES
        return [image[at + size * i : at + size * i + size] for i in range(self.compiled.instructions)]


def good_program(config: Config, seed: int, count: int = 2) -> Good:
    """Some layers, compiled; what the Python machine makes of them."""
    layers, x = random_layers(config, seed, count)
    compiled = compile_layers(layers, config, next(iter(x.values())).shape[0])
    numbers = config.numbers.data_format
    data = compiled.data({name: encode(x[name], numbers).numpy() for name in compiled.inputs})
    before = bytes(data)
    assert run_machine(config, compiled.image, data, compiled.program).done
    return Good(compiled, before, bytes(data))
