"""How a module is mapped to a library: the delay target, whether gates are sized, which memories become macros."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sevedo.gen.synth import liberty, library, memories, sizing
from sevedo.gen.synth import measure as flow


@dataclass(frozen=True)
class Recipe:
    """A way to map.

    Members
    -------
    target_ps : delay that ABC maps for
    sized : buffers and sizes, see `sizing`; else gates stay as mapped
    macro_bits : memories of so many bits or more become black boxes, see `memories`; None: all become flip-flops
    """

    target_ps: int = 5000
    sized: bool = False
    macro_bits: int | None = None

    def script(self, work: Path, top: str, names: Sequence[str]) -> list[str]:
        """The lines of a Yosys script that map the module `top` of unit.v in the folder `work`; figures in stat.json.

        What the lines read is put there; `names` are the library's files.
        """
        lines = flow.mapping(top, names, self.target_ps, liberty.NEVER)
        if self.macro_bits is not None:
            Path(work, "memory.v").write_text(memories.BOX)
            Path(work, "macros.v").write_text(memories.techmap(self.macro_bits))
            place = next(place for place, line in enumerate(lines) if line.startswith("synth "))
            lines[place : place + 1] = [
                "read_verilog memory.v",
                f"{lines[place]} -run begin:fine",
                "techmap -map macros.v t:$mem_v2",
                f"{lines[place]} -run fine:check",
            ]
        driver = sizing.driver([library.slim(Path(work, name).read_text()) for name in names])
        if self.sized and driver is not None:
            Path(work, "abc.script").write_text(sizing.script(self.target_ps))
            Path(work, "abc.constr").write_text(sizing.constraints(driver))
            place = next(place for place, line in enumerate(lines) if line.startswith("abc "))
            lines[place] = lines[place].replace("abc ", "abc -script abc.script -constr abc.constr ", 1)
        return lines


BENCH = Recipe()
"""The flow of `sevedo bench` and of what is compared with others: no sizes, no buffers, no macros."""
