"""What all tests share: helpers in tests/sim are importable by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "sim"))
