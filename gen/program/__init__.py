"""Programs of the processor for people and for C: assembler, disassembler, header, documentation."""

from .header import header
from .text import AssemblyError, assemble, disassemble

__all__ = ["AssemblyError", "assemble", "disassemble", "header"]
