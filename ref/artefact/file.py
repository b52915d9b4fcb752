"""The artefact: what a quantized model is on disk. One safetensors file and a JSON beside it; see docs/artefact.md."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from safetensors.torch import save as to_bytes
from torch import Tensor

from sevedo.gen.config import Config, ConfigError

from ..linear import QuantizedLinear
from ..writing import sha256, write_beside
from .errors import ArtefactError
from .layers import layer_of, layer_tensors
from .layout import LayerSizes, expected
from .tensorfile import TensorFile

SCHEMA = 1
MARK = "sevedo.artefact"
"""Key in the safetensors' metadata; its value is the schema."""
NAME = "artefact.safetensors"
"""The file's name where only a folder is given."""
MAX_JSON_BYTES = 64 << 20


@dataclass(frozen=True)
class Artefact:
    """A quantized model's layers and where they come from.

    Members
    -------
    config : the accelerator; that of every layer
    layers : the layers by their names in the model
    facts : what else the JSON says, plain data: `recipe`, `model`, `calibration`, `versions`
    records : for each layer plain data, such as the errors before and after
    """

    config: Config
    layers: dict[str, QuantizedLinear]
    facts: dict[str, Any] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)


def versions() -> dict[str, str]:
    """Versions of what decides the bits of an artefact."""
    return {name: metadata.version(name) for name in ("sevedo", "torch", "numpy")}


def paths_of(path: Path) -> tuple[Path, Path]:
    """The safetensors file and the JSON that a path means: either of the two, or the folder that holds them."""
    if path.suffix == ".json":
        return path.with_suffix(".safetensors"), path
    if path.suffix != ".safetensors":
        path = path / NAME
    return path, path.with_suffix(".json")


def save(path: Path, artefact: Artefact) -> tuple[Path, Path]:
    """Write an artefact, whole or not at all; equal layers give equal bytes. Returns the two paths.

    Raises
    ------
    ArtefactError : a layer that is not one of the configuration, or facts that JSON cannot hold.
    OSError : naming the path that cannot be written.
    """
    path, json_path = paths_of(Path(path))
    tensors: dict[str, Tensor] = {}
    layers: dict[str, dict[str, Any]] = {}
    for name, layer in artefact.layers.items():
        try:
            if layer.config != artefact.config:
                raise ValueError("config must be the artefact's")
            found = layer_tensors(layer)
        except ValueError as error:
            raise ArtefactError(f"layer {name}: {error}") from None
        tensors |= {f"{name}.{key}": tensor for key, tensor in found.items()}
        layers[name] = LayerSizes.of(layer).data() | artefact.records.get(name, {})
    content = to_bytes(tensors, metadata={MARK: str(SCHEMA)})
    description = {
        "schema": SCHEMA,
        "tensors": {
            "file": path.name,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        },
        "configuration": artefact.config.model_dump(),
        **artefact.facts,
        "layers": layers,
    }
    try:
        text = json.dumps(description, indent=2, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ArtefactError(f"{json_path.name}: {error}") from None
    path.parent.mkdir(parents=True, exist_ok=True)
    write_beside({path: lambda file: file.write(content), json_path: lambda file: file.write(text.encode())})
    return path, json_path


def load(path: Path) -> Artefact:
    """Read an artefact: the safetensors file, its JSON or the folder of both.

    Raises
    ------
    ArtefactError : a file is missing, cut short, not of this kind, or holds what no artefact may hold; one line.
    """
    path, json_path = paths_of(Path(path))
    description = _read_json(json_path)
    try:
        config = Config.parse(description["configuration"])
        sizes = {name: _sizes(name, entry) for name, entry in description["layers"].items()}
    except (ConfigError, ValueError) as error:
        raise ArtefactError(f"{json_path}: {error}") from None
    file = TensorFile(path)
    if file.metadata.get(MARK) != str(SCHEMA):
        raise ArtefactError(f"{path} is no artefact of schema {SCHEMA}: its metadata lacks {MARK}={SCHEMA}")
    if (found := sha256(path)) != description["tensors"]["sha256"]:
        raise ArtefactError(
            f"{path} has SHA-256 {found[:16]}...; {json_path.name} says {str(description['tensors']['sha256'])[:16]}..."
        )
    layers: dict[str, QuantizedLinear] = {}
    known: set[str] = set()
    for name, size in sizes.items():
        try:
            names = {key: f"{name}.{key}" for key in expected(size, config)}
        except ValueError as error:
            raise ArtefactError(f"{json_path}: layer {name}: {error}") from None
        known |= set(names.values())
        for full in names.values():
            if full not in file.header:
                raise ArtefactError(f"{path}: tensor {full} is missing")
        try:
            layers[name] = layer_of({key: file.tensor(full) for key, full in names.items()}, size, config)
        except ArtefactError:
            raise
        except ValueError as error:
            raise ArtefactError(f"{path}: {name}.{error}") from None
    for full in file.names:
        if full not in known:
            raise ArtefactError(f"{path}: tensor {full} is unknown; no layer of {json_path.name} has it")
    facts = {
        key: value
        for key, value in description.items()
        if key not in ("schema", "tensors", "configuration", "layers")
    }
    of_sizes = LayerSizes.__dataclass_fields__
    records = {
        name: {key: value for key, value in entry.items() if key not in of_sizes}
        for name, entry in description["layers"].items()
    }
    return Artefact(config, layers, facts, records)


def _read_json(path: Path) -> dict[str, Any]:
    """The JSON, its own keys being of the right kinds."""
    try:
        if not path.is_file():
            raise ArtefactError(f"{path} must be a file: the JSON beside the tensors")
        if (size := path.stat().st_size) > MAX_JSON_BYTES:
            raise ArtefactError(f"{path} has {size} bytes; at most {MAX_JSON_BYTES} are read")
        found = json.loads(path.read_bytes())
    except ArtefactError:
        raise
    except OSError as error:
        raise ArtefactError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ArtefactError(f"{path} is not JSON, or cut short") from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        shown = found.get("schema") if isinstance(found, dict) else None
        raise ArtefactError(f"{path}: schema={shown!r} must be {SCHEMA}")
    for key in ("configuration", "layers", "tensors"):
        if not isinstance(found.get(key), dict):
            raise ArtefactError(f"{path}: {key} is missing or no object")
    for name, entry in found["layers"].items():
        if not isinstance(entry, dict):
            raise ArtefactError(f"{path}: layers.{name} must be an object")
    if not isinstance(found["tensors"].get("sha256"), str):
        raise ArtefactError(f"{path}: tensors.sha256 is missing")
    return found


def _sizes(name: str, entry: dict[str, Any]) -> LayerSizes:
    fields = LayerSizes.__dataclass_fields__
    for key in fields:
        if key not in entry:
            raise ValueError(f"layers.{name}.{key} is missing")
    try:
        return LayerSizes(**{key: entry[key] for key in fields})
    except ValueError as error:
        raise ValueError(f"layers.{name}.{error}") from None


def finite(value: float) -> float | None:
    """A figure for JSON, which has no NaN and no infinity."""
    return value if math.isfinite(value) else None
