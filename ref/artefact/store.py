"""Finished layers of a run that is not finished, kept in a folder so that the next run goes on from there."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import quote

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

from sevedo.gen.config import Config

from ..flow.store import LayerRecord
from ..linear import QuantizedLinear
from ..writing import write_beside
from .errors import ArtefactError
from .layers import layer_of, layer_tensors
from .layout import LayerSizes
from .tensorfile import TensorFile

HEADER = "run.json"
MARK = "sevedo.layer"


class PartialStore:
    """A `LayerStore` in a folder: a small safetensors file for each finished layer and a header that says of which run.

    A context: one process at a time works in a folder. A killed run leaves whole files only, which the next one takes
    up; a file that was changed since is refused.

    Parameters
    ----------
    folder : made if it is not there
    config : of the layers
    run : what decides the bits of the result, plain data: recipe, configuration, checkpoint, calibration, versions
    restart : drop what another run left

    Members
    -------
    records : for every layer that was loaded or saved, its record
    kept : layers that were there at the start

    Raises
    ------
    ArtefactError : the folder holds another run's work and `restart` is not given; something else than a run's work; or
        another process is working in it.
    """

    def __init__(self, folder: Path, config: Config, run: dict[str, Any], restart: bool = False) -> None:
        self.folder, self.config, self.run, self.restart = folder, config, run, restart
        self.records: dict[str, LayerRecord] = {}
        self.kept = 0
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Self:
        if self.folder.exists() and not self.folder.is_dir():
            raise ArtefactError(f"{self.folder} must be a folder: finished layers are kept there")
        foreign = self.folder.is_dir() and not (self.folder / HEADER).exists() and any(self.folder.iterdir())
        if foreign and not all(entry.name.startswith((".", "lock")) for entry in self.folder.iterdir()):
            raise ArtefactError(f"{self.folder} holds something else than the work of a run; move it away")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / "lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise ArtefactError(
                f"{self.folder}: another run is working there; wait for it, or name another output"
            ) from None
        try:
            self._check_header()
        except BaseException:
            self._lock.close()
            raise
        self.kept = sum(1 for _ in self.folder.glob("*.safetensors"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.close()

    def load(self, name: str) -> QuantizedLinear | None:
        """The finished layer of that name, or None.

        Raises
        ------
        ArtefactError : its file is damaged.
        """
        path = self._path(name)
        if not path.is_file():
            return None
        file = TensorFile(path)
        try:
            notes = json.loads(file.metadata[MARK])
            tensors = {key: file.tensor(key) for key in file.names}
            layer = layer_of(tensors, LayerSizes(**notes["sizes"]), self.config)
            record = LayerRecord(**notes["record"])
        except (ValueError, KeyError, TypeError) as error:
            raise ArtefactError(
                f"{path} is damaged ({error}); delete it, or start anew with --restart"
            ) from None
        if notes.get("sha256") != _digest(tensors):
            raise ArtefactError(
                f"{path} is damaged (its checksum differs); delete it, or start anew with --restart"
            )
        self.records[name] = record
        return layer

    def save(self, name: str, layer: QuantizedLinear, record: LayerRecord) -> None:
        """Keep a finished layer."""
        tensors = layer_tensors(layer)
        notes = {"sizes": LayerSizes.of(layer).data(), "record": record.to_json(), "sha256": _digest(tensors)}
        content = to_bytes(tensors, metadata={MARK: json.dumps(notes)})
        write_beside({self._path(name): lambda file: file.write(content)})
        self.records[name] = record

    def remove(self) -> None:
        """Drop everything: the result is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str) -> Path:
        # Names of modules may hold anything; those of files may not.
        return self.folder / f"{quote(name, safe='')}.safetensors"

    def _check_header(self) -> None:
        path = self.folder / HEADER
        mine = json.loads(json.dumps(self.run))
        if path.exists():
            try:
                found = json.loads(path.read_bytes())
            except (OSError, ValueError):
                found = None
            if found == mine and not self.restart:
                return
            if not self.restart:
                differs = [key for key in mine if not isinstance(found, dict) or found.get(key) != mine[key]]
                raise ArtefactError(
                    f"{self.folder} keeps layers of another run ({', '.join(differs) or 'its header'} differs); "
                    f"--restart drops them, another --out leaves them"
                )
        for entry in [*self.folder.glob("*.safetensors"), *self.folder.glob(".*")]:
            with contextlib.suppress(OSError):
                os.unlink(entry)
        write_beside({path: lambda file: file.write((json.dumps(mine, indent=2) + "\n").encode())})


def _digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over a layer's tensors, in the order of their names."""
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        # As bytes by way of PyTorch: NumPy does not know BF16.
        found.update(name.encode() + b"\0" + tensor.flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
