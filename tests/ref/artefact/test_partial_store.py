"""Work kept for an interrupted run: taken up again whole, never that of another run, never by two runs at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from sevedo.gen.config import preset
from sevedo.ref.artefact import ArtefactError, PartialStore
from sevedo.ref.flow.store import LayerRecord
from sevedo.ref.linear import QuantizedLinear, quantize_linear

CONFIG = preset("tiny")
RUN = {"recipe": {"rank": 3}, "model": "abc"}
RECORD = LayerRecord(0.5, 0.25, 1.5)


def small_layer(seed: int) -> QuantizedLinear:
    """A layer of random weights."""
    generator = torch.Generator().manual_seed(seed)
    return quantize_linear(torch.randn(5, 20, generator=generator).double(), None, None, CONFIG, 2)


def test_layers_of_the_same_run_come_back(tmp_path: Path) -> None:
    names = ("blocks.0.q", "a/b", "..", "x" * 60)
    with PartialStore(tmp_path / "p", CONFIG, RUN) as store:
        assert store.kept == 0
        assert store.load("blocks.0.q") is None
        for seed, name in enumerate(names):
            store.save(name, small_layer(seed), RECORD)
    with PartialStore(tmp_path / "p", CONFIG, RUN) as store:
        assert store.kept == len(names)
        for seed, name in enumerate(names):
            found = store.load(name)
            assert found is not None
            assert torch.equal(found.weight.codes, small_layer(seed).weight.codes)
            assert torch.equal(found.v, small_layer(seed).v)
        assert store.records == dict.fromkeys(names, RECORD)
        store.remove()
    assert not (tmp_path / "p").exists()


def test_layers_of_another_run_are_refused_or_dropped(tmp_path: Path) -> None:
    with PartialStore(tmp_path / "p", CONFIG, RUN) as store:
        store.save("a", small_layer(0), RECORD)
    other = RUN | {"recipe": {"rank": 4}}
    with (
        pytest.raises(
            ArtefactError, match=r"keeps layers of another run \(recipe differs\); --restart drops"
        ),
        PartialStore(tmp_path / "p", CONFIG, other),
    ):
        pass
    with PartialStore(tmp_path / "p", CONFIG, RUN) as store:
        assert store.load("a") is not None
    with PartialStore(tmp_path / "p", CONFIG, other, restart=True) as store:
        assert (store.kept, store.load("a")) == (0, None)
        store.save("a", small_layer(0), RECORD)
    with PartialStore(tmp_path / "p", CONFIG, other, restart=True) as store:
        assert store.kept == 0


def test_damage_and_strangers_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    with PartialStore(folder, CONFIG, RUN) as store:
        store.save("a", small_layer(0), RECORD)
        file = folder / "a.safetensors"
        content = file.read_bytes()
        for damaged in (
            content[:-1],
            content[:-1] + b"\x01",
            content.replace(b'\\"inputs\\": 20', b'\\"inputs\\": 21'),
        ):
            assert damaged != content
            file.write_bytes(damaged)
            with pytest.raises(ArtefactError, match=r"a\.safetensors") as told:
                store.load("a")
            assert "\n" not in str(told.value)
        with (
            pytest.raises(ArtefactError, match="another run is working there"),
            PartialStore(folder, CONFIG, RUN),
        ):
            pass
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    with (
        pytest.raises(ArtefactError, match="holds something else than the work of a run"),
        PartialStore(tmp_path / "mine", CONFIG, RUN, restart=True),
    ):
        pass
    with pytest.raises(ArtefactError, match="must be a folder"), PartialStore(file, CONFIG, RUN):
        pass


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_partial_store import CONFIG, RECORD, RUN, small_layer
from sevedo.ref.artefact import PartialStore
with PartialStore(Path({folder!r}), CONFIG, RUN) as store:
    for seed in range(10_000):
        store.save(f"layer.{{seed}}", small_layer(seed), RECORD)
"""


def test_a_killed_run_leaves_whole_layers(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    code = KILLED.format(tests=str(Path(__file__).parent), folder=str(folder))
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(folder.glob("layer.*"))) < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() != 0
    with PartialStore(folder, CONFIG, RUN) as store:
        assert store.kept >= 20
        for seed in range(store.kept):
            found = store.load(f"layer.{seed}")
            assert found is not None
            assert torch.equal(found.weight.codes, small_layer(seed).weight.codes)
        assert store.load(f"layer.{store.kept}") is None
