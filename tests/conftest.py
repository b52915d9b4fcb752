"""What all tests share: helpers in these folders are importable by name."""

import sys
from pathlib import Path

FOLDERS = (
    "sim", "hw", "hw/board", "hw/bus", "hw/link", "gen/synth", "gen/sweep", "gen/report", "gen/host", "area",
    "ref/checkpoint", "ref/machine", "exact",
)  # fmt: skip
for folder in FOLDERS:
    sys.path.insert(0, str(Path(__file__).parent / folder))
