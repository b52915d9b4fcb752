"""Measures for tests of sweeps: cheap, or slow on purpose, and they write down that they were called."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from sevedo.gen.config import Config, ConfigError
from sevedo.gen.sweep.measures import Figures, Metric


@dataclass(frozen=True)
class Size:
    """PEs of the array; notes every call as a line of a file.

    Members
    -------
    calls : the file
    seconds : that a call takes
    rows_only : whether columns do not count: points that differ in them share a measurement
    """

    calls: str
    seconds: float = 0.0
    rows_only: bool = False
    name = "size"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """PEs, and their inverse."""
        return (
            Metric("pes", "PE", "processing elements", leads=True),
            Metric("inverse", "1", "one over them", leads=True),
        )

    def key(self, config: Config) -> str:
        """Rows and columns."""
        return f"{config.rmc.rows} {0 if self.rows_only else config.rmc.cols}"

    def __call__(self, config: Config) -> Figures:
        """Fails on 7 columns, as a tool would; refuses 6, as a rule does."""
        time.sleep(self.seconds)
        with Path(self.calls).open("a") as file:
            file.write(f"{self.key(config)}\n")
        if config.rmc.cols == 7 and not os.environ.get("SEVEN"):
            raise RuntimeError("the tool\ncrashed")
        if config.rmc.cols == 6:
            raise ConfigError("rmc.cols=6 must be another number")
        pes = config.rmc.rows * config.rmc.cols
        return {"pes": pes, "inverse": 1 / pes}
