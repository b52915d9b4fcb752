"""What all tests share: helpers in tests/sim and tests/hw are importable by name."""

import sys
from pathlib import Path

for folder in ("sim", "hw"):
    sys.path.insert(0, str(Path(__file__).parent / folder))
