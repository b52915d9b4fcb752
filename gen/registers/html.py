"""The register map as pages for a browser, by PeakRDL-html."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from .source import SOURCE, elaborate


def write_html(out: Path, source: Path = SOURCE) -> None:
    """Write the pages into `out`, which is made; begin with ``index.html``."""
    # The exporter can link to a repository and imports GitPython for it, which fails where there is no git.
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    from peakrdl_html import HTMLExporter

    with tempfile.TemporaryDirectory(prefix="sevedo-registers-") as made:
        HTMLExporter().export(elaborate(source), made, title="SeVeDo processor: registers")
        shutil.copytree(made, out, dirs_exist_ok=True)
