"""Floating-point units: unpack, exact operation, one rounder."""

from sevedo.hw.float.add import Add
from sevedo.hw.float.compare import Compare, Maximum
from sevedo.hw.float.convert import Convert
from sevedo.hw.float.fma import FusedMultiplyAdd
from sevedo.hw.float.integer import FloatToInteger, IntegerToFloat
from sevedo.hw.float.multiply import Multiply
from sevedo.hw.float.round import Round
from sevedo.hw.float.two_path import TwoPathAdd
from sevedo.hw.float.unpack import Unpack

__all__ = [
    "Add",
    "Compare",
    "Convert",
    "FloatToInteger",
    "FusedMultiplyAdd",
    "IntegerToFloat",
    "Maximum",
    "Multiply",
    "Round",
    "TwoPathAdd",
    "Unpack",
]
