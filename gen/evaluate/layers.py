"""Quantized layers of a model: made once, kept as an artefact, and taken from there by every later run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sevedo.gen.cli import UserError
from sevedo.gen.commands.quantize import DEFAULT_TOKENS
from sevedo.gen.config import Config
from sevedo.gen.evaluate.code import code
from sevedo.gen.evaluate.subject import Subject
from sevedo.gen.quantize.inputs import NEWS
from sevedo.ref.artefact import Artefact, PartialStore, load, save
from sevedo.ref.artefact.file import versions
from sevedo.ref.checkpoint.calibration import Calibration, calibrate_on
from sevedo.ref.flow.recipe import Recipe
from sevedo.ref.flow.seen import Seen, calibrate
from sevedo.ref.flow.store import ProgressCallback
from sevedo.ref.workloads import news
from sevedo.sim.toolchain import digest

Bars = Callable[[], AbstractContextManager[ProgressCallback]]
"""Shows the steps of a quantization."""


class Quantizer:
    """Layers of models in any configuration, as `sevedo quantize` makes them by default.

    Parameters
    ----------
    folder : where artefacts are kept
    fields : of the recipe; what is missing takes its default
    bars : shows the steps

    Raises
    ------
    UserError : fields that are no recipe's.
    """

    def __init__(self, folder: Path, fields: Mapping[str, Any], bars: Bars) -> None:
        self._folder, self._bars = folder, bars
        try:
            self._recipe = Recipe.from_json(dict(fields))
        except ValueError as error:
            raise UserError(str(error)) from None
        self._calibrations: dict[str, Calibration] = {}
        self._seen: dict[str, Seen] = {}

    def __call__(self, subject: Subject, config: Config) -> Artefact:
        """The layers: kept ones, or made now. An interrupted run goes on from its last finished layer.

        Raises
        ------
        UserError : the flow refuses the recipe, the configuration or the calibration.
        """
        from sevedo.ref.flow.model import quantize

        facts, key = self._facts(subject, config), self.key(subject, config)
        path = self._folder / f"{subject.name}-{config.groups.scheme}-{key}"
        if (path / "artefact.json").is_file():
            return load(path)
        texts = self._calibration(subject)
        partial = path.with_name(f"{path.name}.partial")
        partial.parent.mkdir(parents=True, exist_ok=True)
        run = {"configuration": config.model_dump(), **facts}
        with PartialStore(partial, config, run) as store, self._bars() as show:
            module = copy.deepcopy(subject.module)
            try:
                # Every configuration is fitted to the same run of the trained model: a quarter of the time.
                if subject.name not in self._seen:
                    batches = [(tokens,) for tokens in texts.inputs]
                    self._seen = {subject.name: calibrate(module, batches, self._recipe, show)}
                seen = self._seen[subject.name]
                layers = quantize(
                    module, texts.inputs, config, self._recipe, store=store, progress=show, seen=seen
                )
            # What the flow refuses of its inputs is told as a user's mistake; bugs are `ValueError`s seldom.
            except ValueError as error:
                raise UserError(f"{subject.name}, scheme {config.groups.scheme}: {error}") from None
            records = {name: store.records[name].to_json() for name in layers if name in store.records}
            artefact = Artefact(config, dict(layers), facts, records)
            save(path, artefact)
            store.remove()
        return artefact

    def key(self, subject: Subject, config: Config) -> str:
        """What tells the layers from any others: all that they are made from."""
        return digest(repr(sorted(self._facts(subject, config).items())), repr(config.model_dump()), code())

    def _facts(self, subject: Subject, config: Config) -> dict[str, Any]:
        model = subject.checkpoint
        return {
            "recipe": self._recipe.on(config).to_json(),
            "model": {"name": model.name, "kind": model.kind, "sha256": model.sha256},
            "calibration": self._calibration(subject).data(),
            "versions": versions(),
        }

    def _calibration(self, subject: Subject) -> Calibration:
        if subject.name not in self._calibrations:
            found = calibrate_on(subject.checkpoint, NEWS, news()[150:], DEFAULT_TOKENS)
            self._calibrations[subject.name] = found
        return self._calibrations[subject.name]


def check_fits(artefact: Artefact, name: str, subject: Subject) -> None:
    """Refuse an artefact that is not one of the model's.

    Raises
    ------
    UserError : its layers have other names or sizes.
    """
    ours = {key: (layer.in_features, layer.out_features) for key, layer in subject.layers.items()}
    theirs = {key: (layer.inputs, layer.outputs) for key, layer in artefact.layers.items()}
    for key in _first(ours.keys() ^ theirs.keys()):
        where = "it lacks" if key in ours else f"{subject.name} has no"
        raise UserError(f"artefact={name} does not fit {subject.name}: {where} layer {key}")
    for key in _first(key for key in ours if ours[key] != theirs[key]):
        raise UserError(
            f"artefact={name} does not fit {subject.name}: layer {key} is {theirs[key][0]} x {theirs[key][1]}, "
            f"it must be {ours[key][0]} x {ours[key][1]}"
        )


def _first(names: Iterable[str]) -> list[str]:
    return sorted(names)[:1]
