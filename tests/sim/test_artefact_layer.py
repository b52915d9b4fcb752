"""A layer of an artefact that was written and read runs in the Verilog, every output bit as the golden model's."""

from __future__ import annotations

from pathlib import Path

import torch
from layers import CLASSES, activations, layer

from sevedo.ref.artefact import Artefact, load, save
from sevedo.sim.layer import RtlCore


def test_a_loaded_layer_runs_in_the_verilog(tmp_path: Path) -> None:
    original, _, _ = layer(CLASSES, (9, 50, 7, 4), seed=1)
    x = activations(9, 50, "outliers", 2)
    save(tmp_path, Artefact(CLASSES, {"blocks.0.attn_q": original}))
    assert len(original.classes) == 2
    loaded = load(tmp_path).layers["blocks.0.attn_q"]
    expected = original.run(x).output_bits
    run = RtlCore.build(loaded.config).run(loaded, loaded.prepare(x))
    assert run.output_bits.shape == (9, 7)
    assert torch.equal(torch.as_tensor(run.output_bits), expected)
    assert torch.equal(loaded.run(x).output_bits, expected)
    assert len(expected.unique()) > 50
