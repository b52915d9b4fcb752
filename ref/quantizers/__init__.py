"""The rules of the scale schemes, one small class each."""

from ..grouped import GroupScheme
from .base import Quantizer
from .hgq import HgqQuantizer
from .mx import MxQuantizer
from .single import SingleQuantizer
from .vs_quant import VsQuantizer

QUANTIZERS: dict[str, type[Quantizer]] = {
    "hgq": HgqQuantizer,
    "vs-quant": VsQuantizer,
    "coarse": SingleQuantizer,
    "fp-fine": SingleQuantizer,
    "mx": MxQuantizer,
}
"""The rules by scheme."""


def quantizer(scheme: GroupScheme) -> Quantizer:
    """The rules of `scheme`."""
    return QUANTIZERS[scheme.name](scheme)
