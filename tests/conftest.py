"""What all tests share: helpers in these folders are importable by name."""

import sys
from pathlib import Path

HELPERS = (
    "sim", "hw", "gen/synth", "gen/sweep", "gen/report", "gen/host", "area", "ref/checkpoint", "ref/machine", "exact",
)  # fmt: skip

for folder in HELPERS:
    sys.path.insert(0, str(Path(__file__).parent / folder))
