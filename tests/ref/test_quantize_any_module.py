"""`sevedo.ref.quantize`: any module, its linear layers swapped in place; nothing is loaded before it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

import sevedo.ref
import sevedo.ref.rows
from sevedo.gen.config import preset
from sevedo.ref.flow.recipe import Recipe


class TwoInputs(nn.Module):
    """Images and a factor: convolution, then linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3)
        self.body = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 5, bias=False))

    def forward(self, image: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """[B, 1, 10, 10] and [B, 1, 1] to [B, 64, 5]."""
        return self.body(self.first(image).flatten(2).transpose(1, 2)) * factor


def test_a_module_of_images() -> None:
    torch.manual_seed(4)
    module = TwoInputs()
    calls = [(torch.randn(2, 1, 10, 10), torch.rand(2, 1, 1)) for _ in range(6)]
    with torch.no_grad():
        wanted = [module(*call) for call in calls]
    layers = sevedo.ref.quantize(module, calls, preset("tiny"), Recipe(rank=2))
    assert list(layers) == ["body.0", "body.2"]
    assert not [m for m in module.modules() if isinstance(m, nn.Linear)]
    with torch.no_grad():
        found = torch.cat([module(*call) for call in calls])
    error = float((found - torch.cat(wanted)).norm() / torch.cat(wanted).norm())
    assert 0 < error < 0.3
    with pytest.raises(ValueError, match=r"no nn\.Linear"):
        sevedo.ref.quantize(nn.Conv2d(1, 1, 1), calls, preset("tiny"))
    with pytest.raises(AttributeError, match="no attribute 'quantise'"):
        _ = sevedo.ref.quantise


def test_import_is_light() -> None:
    code = "import sys, sevedo.ref; assert 'torch' not in sys.modules; print(callable(sevedo.ref.quantize))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
