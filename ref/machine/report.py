"""How a run of a program ended."""

from __future__ import annotations

from dataclasses import dataclass

from sevedo.gen.config.instructions import ERROR_MEANING, NO_UNIT, Error, Unit


@dataclass(frozen=True)
class Report:
    """What the processor's registers say when it has stopped.

    Members
    -------
    code : why; `Error.NONE` at the end of the program
    unit : who, a `Unit` or `NO_UNIT`
    instruction : its number, from 0; behind the last one where none is at fault
    address : where, a byte offset in its segment; 0 where there is none
    """

    code: Error
    unit: int
    instruction: int
    address: int = 0

    @property
    def done(self) -> bool:
        """Whether the program ended as it should."""
        return self.code is Error.NONE

    def __str__(self) -> str:
        if self.done:
            return f"done after {self.instruction} instructions"
        who = "the program" if self.unit == NO_UNIT else Unit(self.unit).name
        return (
            f"{self.code.name} at instruction {self.instruction} ({who}, address {self.address:#x}): "
            f"{ERROR_MEANING[self.code]}"
        )


class Stop(Exception):
    """The processor stops; what `Report` will say."""

    def __init__(self, code: Error, unit: int, instruction: int, address: int = 0) -> None:
        super().__init__(code.name)
        self.report = Report(code, unit, instruction, address)
