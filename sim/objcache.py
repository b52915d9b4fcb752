"""A prefix of compiler commands: keeps the objects of Verilator's own sources, which every bench would compile anew.

Verilator's makefiles put $OBJCACHE before the compiler: ``python objcache.py ROOT FOLDER g++ ... -c -o x.o x.cpp``.
Sources under ROOT do not depend on the design; their objects are kept in FOLDER under the name of the command.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def main(root: str, folder: str, command: list[str]) -> int:
    """Run `command`, or copy what it gave before; its exit code."""
    sources = [word for word in command if word.endswith(".cpp")]
    if len(sources) != 1 or "-o" not in command or not Path(sources[0]).is_relative_to(root):
        return subprocess.call(command)
    at = command.index("-o") + 1
    key = hashlib.sha256("\0".join(command[:at] + command[at + 1 :]).encode()).hexdigest()[:24]
    kept = Path(folder, f"{Path(sources[0]).stem}-{key}.o")
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        code = subprocess.call(command)
        if code:
            return code
        handle, beside = tempfile.mkstemp(dir=folder)
        os.close(handle)
        shutil.copyfile(command[at], beside)
        os.replace(beside, kept)
    else:
        shutil.copyfile(kept, command[at])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
