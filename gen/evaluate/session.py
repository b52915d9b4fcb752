"""All rows of an evaluation, one after the other; every finished one is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sevedo.gen.config import Config
from sevedo.gen.evaluate.case import FP32, Row, run
from sevedo.gen.evaluate.code import code
from sevedo.gen.evaluate.layers import Quantizer, check_fits
from sevedo.gen.evaluate.subject import Subject
from sevedo.gen.progress import progress
from sevedo.gen.synth.kept import Kept
from sevedo.ref.artefact import Artefact, load
from sevedo.ref.artefact.file import paths_of
from sevedo.ref.writing import sha256
from sevedo.sim.toolchain import digest


@dataclass(frozen=True)
class Given:
    """An artefact of the user's.

    Members
    -------
    path : as it was named
    artefact : its content
    """

    path: Path
    artefact: Artefact

    @classmethod
    def read(cls, path: Path) -> Given:
        """Read it whole.

        Raises
        ------
        ArtefactError : it cannot be taken.
        """
        return cls(path, load(path))

    @property
    def model(self) -> str:
        """The name of the model that it was made from, as far as it says."""
        model = self.artefact.facts.get("model")
        return str(model.get("name", "")) if isinstance(model, dict) else ""

    @property
    def sha256(self) -> str:
        """Of its tensors."""
        return sha256(paths_of(self.path)[0])


@dataclass(frozen=True)
class Session:
    """How rows are made.

    Members
    -------
    config : formats and groups; its scheme is replaced
    quantizer : gives the layers
    folder : where finished rows are kept
    attention : every row once more with the products of attention on quantized operands
    golden : bit for bit; else in float32
    told : called with a line about every row that was made
    """

    config: Config
    quantizer: Quantizer
    folder: Path
    attention: bool = False
    golden: bool = True
    told: Callable[[str], None] = lambda line: None

    def rows(self, subject: Subject, schemes: Sequence[str], given: Sequence[Given]) -> list[Row]:
        """The rows of a model: schemes, then artefacts of it.

        Raises
        ------
        UserError : an artefact that is not one of the model's; the flow refuses something.
        """
        found: list[Row] = []
        for other in given:
            check_fits(other.artefact, str(other.path), subject)
        for scheme in schemes:
            if scheme == FP32:
                found += self._both(subject, FP32, "", self.config, None)
                continue
            config = self.config.with_scheme(scheme)
            key = self.quantizer.key(subject, config)
            make = partial(self.quantizer, subject, config)
            found += self._both(subject, scheme, key, config, make)
        for other in given:
            ours = other.artefact
            found += self._both(subject, str(other.path), other.sha256, ours.config, partial(_same, ours))
        return found

    def _both(
        self, subject: Subject, label: str, key: str, config: Config, layers: Callable[[], Artefact] | None
    ) -> list[Row]:
        """With attention in floating point, and quantized where that is asked for."""
        attentions = [None, config] if self.attention else [None]
        return [self._row(subject, label, key, layers, attention) for attention in attentions]

    def _row(
        self,
        subject: Subject,
        label: str,
        key: str,
        layers: Callable[[], Artefact] | None,
        attention: Config | None,
    ) -> Row:
        measure = digest(type(subject.measure).__name__, subject.measure.content)
        kept = Kept(self.folder, code(), subject.checkpoint.sha256, measure, str(self.golden))
        parts = (key, "" if attention is None else repr(attention.model_dump()))
        if isinstance(known := kept.get(*parts), dict):
            return _row_of(known, label)
        artefact = None if layers is None else layers()
        what = f"{subject.name}, {label}" + ("" if attention is None else ", attention too")
        with progress(len(subject.layers) * subject.measure.forwards, what) as step:
            row = run(subject, label, artefact, attention, self.golden, step)
        kept.put(asdict(row), *parts)
        figures = ", ".join(f"{name} {value:.6g}" for name, value in row.figures.items())
        self.told(f"{what}: {figures} ({row.seconds:.0f} s)")
        return row


def _row_of(data: Mapping[str, Any], label: str) -> Row:
    """A row as it was kept; artefacts may have another name now."""
    tuples = {name: tuple(data[name]) for name in ("bits", "ranks")}
    return Row(**{**data, **tuples, "label": label})


def _same(artefact: Artefact) -> Artefact:
    return artefact
