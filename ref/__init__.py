"""The golden model in PyTorch: what docs/numerics.md says, bit for bit, on whole tensors. Never imports Amaranth.

`quantize` is the whole flow: it puts quantized layers where a module has `nn.Linear`s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .flow.model import quantize

__all__ = ["quantize"]


def __getattr__(name: str) -> Any:
    """The flow and PyTorch are loaded when they are asked for: `import sevedo.ref` stays quick."""
    if name != "quantize":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .flow.model import quantize

    return quantize
