"""`make area-accept REASON="..."`: the figures as they are now go into the ledger, with the reason."""

from __future__ import annotations

import sys
from pathlib import Path

import ledger
from rich.console import Console

from sevedo.gen.files import write_atomically
from sevedo.sim.toolchain import build_folder


def main(reason: str, path: Path = ledger.FILE) -> int:
    """Measure, write, and print what changed; the exit code."""
    if not reason.strip():
        print('area-accept: error: REASON must say why: make area-accept REASON="..."', file=sys.stderr)
        return 2
    book = ledger.load(path)
    folder = build_folder() / "synth"
    after = ledger.measure(folder, jobs=2)
    library = ledger.libraries()
    if library is not None:
        after |= ledger.measure(folder, library, jobs=2)
    changed = ledger.accept(book, after, reason)
    write_atomically({path: lambda file: file.write(ledger.text(book).encode())})
    if changed:
        Console(width=150).print(ledger.table(changed, judged=False))
    print(
        f"{path}: {len(changed)} figures changed; {'' if library else 'no '}library given by SEVEDO_LIBERTY"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
