"""Every field of the configuration changes the Verilog or the run: none is accepted and then ignored."""

from __future__ import annotations

import pytest
from layers import CLASSES, SMALL, layer

from sevedo.gen.config import Config
from sevedo.gen.verilog.emitter import emit
from sevedo.hw.bus.reader import AxiReader
from sevedo.hw.bus.writer import AxiWriter
from sevedo.hw.core.core import Core
from sevedo.hw.feed.front import FrontEnd
from sevedo.hw.mover.output_store import OutputStore
from sevedo.hw.processor.program_core import bus_clients

CHANGES = {
    "numbers.data": "bf16",
    "numbers.activation_bits": 5,
    "numbers.weight_bits": 3,
    "groups.scheme": "coarse",
    "groups.fine": 8,
    "groups.coarse": 32,
    "groups.activation_shift_bits": 1,
    "groups.weight_shift_bits": 0,
    "groups.scale": "bf16",
    "rmc.rows": 4,
    "rmc.cols": 8,
    "rmc.lanes": 2,
    "rmc.activation_passes": 2,
    "rmc.weight_passes": 2,
    "lvc.lanes": 2,
    "lvc.ranks": 2,
    "lvc.queue": 2,
    "lvc.output_tokens": 2,
    "lvc.tokens": 2,
    "lvc.max_rank": 16,
    "lvc.int8_ranks": 4,
    "lvc.int4_ranks": 0,
    "lvc.int_ranks": 1,
    "lvc.int_tokens": 4,
    "lvc.int_lanes": 8,
    "pipeline.dot": 1,
    "pipeline.multiply": 1,
    "pipeline.scale": 1,
    "pipeline.add": 1,
    "pipeline.convert": 1,
    "pipeline.two_path": True,
    "limits.inputs": 1024,
    "limits.outputs": 1024,
    "limits.tokens": 1024,
}

OF_PROCESSORS: dict[str, int] = {
    "pipeline.quantize": 1,
    "bus.data_bytes": 16,
    "bus.address_bits": 33,
    "bus.burst": 8,
    "bus.outstanding": 5,
    "memory.iomem_kib": 2,
    "memory.inputs": 300,
    "memory.weights_kib": 8,
    "memory.output_tiles": 16,
}
"""What a core does not read, but a processor does."""


OF_OTHER_SCHEMES: dict[str, dict[str, int | str]] = {
    "vs-quant": {
        "fine": 8,
        "coarse": 32,
        "activation_scale_bits": 3,
        "weight_scale_bits": 5,
        "scale": "bf16",
    },
    "coarse": {"coarse": 32, "scale": "bf16"},
    "fp-fine": {"fine": 8, "scale": "bf16"},
    "mx": {"fine": 8},
}


def _fields() -> set[str]:
    return {f"{section}.{field}" for section, fields in CLASSES.model_dump().items() for field in fields}


def _text(config: Config) -> str:
    return "".join(module.rtlil for module in emit(Core(config)))


@pytest.fixture(scope="module")
def reference() -> tuple[str, list[int]]:
    return _text(SMALL), _bits(SMALL)


def _bits(config: Config) -> list[int]:
    return layer(config, (3, 50, 4, 2), "outliers", 4)[2].output_bits.reshape(-1).tolist()


def test_every_field_is_tried() -> None:
    assert _fields() == set(CHANGES) | set(OF_PROCESSORS)


def test_every_field_of_processors_matters() -> None:
    """In the parts of a processor that are not its core, which takes longest to emit."""

    def text(config: Config) -> str:
        units = [
            FrontEnd(config),
            OutputStore(config),
            AxiWriter(config),
            AxiReader(config, bus_clients(config)),
        ]
        return "".join(module.rtlil for unit in units for module in emit(unit))

    config = SMALL.replace(memory__inputs=200, bus__data_bytes=8)
    reference = text(config)
    for field, value in OF_PROCESSORS.items():
        assert text(config.replace(**{field.replace(".", "__"): value})) != reference, field


@pytest.mark.parametrize("field", CHANGES)
def test_every_field_matters(field: str, reference: tuple[str, list[int]]) -> None:
    changes = {field.replace(".", "__"): CHANGES[field]}
    if field.startswith("lvc.int"):
        assert _text(CLASSES.replace(**changes)) != _text(CLASSES)
        return
    changed = SMALL.replace(**changes)
    text, bits = reference
    decides_bits = field.split(".")[0] in ("numbers", "groups")
    assert (_bits(changed) != bits) == decides_bits
    if not decides_bits:
        assert _text(changed) != text


@pytest.mark.parametrize("scheme", OF_OTHER_SCHEMES)
def test_every_field_of_other_schemes_matters(scheme: str) -> None:
    config = SMALL.with_scheme(scheme)
    assert {"scheme", *OF_OTHER_SCHEMES[scheme]} == set(config.groups.model_dump())
    bits = _bits(config)
    for field, value in OF_OTHER_SCHEMES[scheme].items():
        assert _bits(config.replace(**{f"groups__{field}": value})) != bits, field
