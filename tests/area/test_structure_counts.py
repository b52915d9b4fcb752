"""What a configuration has of each unit, counted in the emitted hierarchy: exactly as many as it asks for."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from sevedo.gen.config import preset, preset_names
from sevedo.gen.verilog.emitter import EmittedModule, emit
from sevedo.gen.verilog.manifest import instances
from sevedo.hw.core.core import Core
from sevedo.hw.integer.dot import DotProduct
from sevedo.hw.rmc.pe import ProcessingElement
from sevedo.hw.rmc.rmc import ResidualMatrixCore


@cache
def emitted(name: str) -> tuple[EmittedModule, ...]:
    return tuple(emit(Core(preset(name))))


def below(modules: tuple[EmittedModule, ...], top: str) -> Counter[str]:
    """Units by class below the only module of class `top`, counted in one instance of it."""
    [root] = [module for module in modules if type(module.unit).__name__ == top]
    by_name = {module.name: module for module in modules}

    def count(module: EmittedModule) -> Counter[str]:
        found: Counter[str] = Counter()
        for child, number in module.children:
            inner = count(by_name[child])
            inner[type(by_name[child].unit).__name__] += 1
            found.update({unit: number * n for unit, n in inner.items()})
        return found

    return count(root)


@pytest.mark.parametrize("name", preset_names())
def test_residual_matrix_core(name: str) -> None:
    config, found = preset(name), below(emitted(name), "ResidualMatrixCore")
    pes = config.rmc.rows * config.rmc.cols
    assert found["ProcessingElement"] == pes
    assert found["DotProduct"] == pes
    assert found["AccumulatorAdder"] == pes
    assert found["ShiftDequantizer"] == pes
    assert found["CoarseScaleUnit"] * config.csu_share == pes
    assert found["RingAccumulator"] == found["CoarseScaleUnit"]
    assert found["RmcSequencer"] == 1


@pytest.mark.parametrize("name", preset_names())
def test_a_processing_element_has_as_many_products_as_lanes(name: str) -> None:
    config = preset(name)
    rmc = next(m for m in emitted(name) if type(m.unit).__name__ == "ResidualMatrixCore")
    [pe] = [
        m for m in emitted(name) if isinstance(m.unit, ProcessingElement) and m.name in dict(rmc.children)
    ]
    [dot] = [m for m in emitted(name) if isinstance(m.unit, DotProduct) and m.name in dict(pe.children)]
    bits = config.numbers.activation_bits, config.numbers.weight_bits
    assert isinstance(dot.unit, DotProduct)
    assert dot.unit.lanes == config.rmc.lanes == (4 if name == "mini" else 16)
    [plain] = emit(DotProduct(config.rmc.lanes, *bits, operators=True))
    assert plain.rtlil.count("cell $mul ") == config.rmc.lanes


@pytest.mark.parametrize("name", preset_names())
def test_low_rank_vector_core(name: str) -> None:
    config, modules = preset(name), emitted(name)
    assert below(modules, "Expander")["VectorLane"] == config.lvc.lanes
    assert below(modules, "Projector")["VectorLane"] == config.lvc.ranks * config.project_tokens
    assert below(modules, "Finisher")["OutputLane"] == config.rmc.rows * config.lvc.output_tokens


@pytest.mark.parametrize("field", ["rmc__rows", "rmc__cols"])
def test_half_the_array_has_half_the_units(field: str) -> None:
    half = preset("tiny").replace(**{field: 2, "lvc__lanes": 8})
    counts = instances(emit(ResidualMatrixCore(half)))
    assert sum(n for module, n in counts.items() if module.startswith("processing_element_")) == 8
