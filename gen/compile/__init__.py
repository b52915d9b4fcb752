"""The compiler: quantized layers to an image of DRAM, program and operands, that the processor runs by itself."""

from .compiled import Compiled, CompiledLayer
from .directory import load_compiled, save_compiled
from .errors import CompileError
from .image import compile_layers
from .layout import Region, shared_inputs

__all__ = [
    "CompileError",
    "Compiled",
    "CompiledLayer",
    "Region",
    "compile_layers",
    "load_compiled",
    "save_compiled",
    "shared_inputs",
]
