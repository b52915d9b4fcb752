"""The whole processor against the well-known cocotb AXI models, with stalls on every channel and a refused read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_processor import good_program, small_config

from sevedo.gen.config.instructions import INSTRUCTION_BYTES, decode
from sevedo.hw.processor.processor import Processor
from sevedo.sim.bench import run_bench


@pytest.mark.parametrize(
    "stall",
    [0.25, pytest.param(0.0, marks=pytest.mark.exact), pytest.param(0.75, marks=pytest.mark.exact)],
)
def test_programs_between_axi_models(stall: float, tmp_path: Path) -> None:
    config = small_config()
    good = good_program(config, 3, 3)
    compiled = good.compiled
    codes = [
        compiled.image[compiled.program + INSTRUCTION_BYTES * n :][:INSTRUCTION_BYTES]
        for n in range(compiled.instructions)
    ]
    streams = [
        fields["address"] for found, fields, _ in map(decode, codes) if found and found.name == "STREAM"
    ]
    file = tmp_path / "program.npz"
    np.savez(
        file,
        image=np.frombuffer(compiled.image, np.uint8),
        data=np.frombuffer(good.data, np.uint8),
        wanted=np.frombuffer(good.wanted, np.uint8),
        program=compiled.program,
        instructions=compiled.instructions,
    )
    parameters = {"file": str(file), "stall": stall, "broken": streams[-1]}
    assert run_bench(Processor(config), "processor_bench", parameters=parameters, gates=False) == 1
