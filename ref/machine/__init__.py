"""The Python machine: runs programs of the processor bit for bit, without its timing."""

from .machine import Machine, run
from .report import Report

__all__ = ["Machine", "Report", "run"]
