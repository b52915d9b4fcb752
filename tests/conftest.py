"""What all tests share: helpers in tests/sim, tests/hw and tests/gen/synth are importable by name."""

import sys
from pathlib import Path

for folder in ("sim", "hw", "gen/synth"):
    sys.path.insert(0, str(Path(__file__).parent / folder))
