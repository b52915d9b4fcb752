"""What all tests share: helpers in these folders are importable by name."""

import sys
from pathlib import Path

for folder in ("sim", "hw", "gen/synth", "gen/sweep", "gen/host", "ref/checkpoint", "ref/machine", "exact"):
    sys.path.insert(0, str(Path(__file__).parent / folder))
