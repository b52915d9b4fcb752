"""program.json: what a compiled program says of itself, with its checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import INSTRUCTION_BYTES

from .compiled import Compiled, CompiledLayer
from .errors import CompileError
from .layout import Region

SCHEMA = 1
IMAGE, DESCRIPTION = "image.bin", "program.json"
"""The two files."""


def checksum(description: Mapping[str, Any]) -> str:
    """Of all that the JSON says but the checksum itself, however it is laid out."""
    rest = {key: value for key, value in description.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def described(compiled: Compiled, facts: Mapping[str, Any]) -> str:
    """The text of the JSON."""
    description: dict[str, Any] = {
        "schema": SCHEMA,
        "configuration": compiled.config.model_dump(),
        "fingerprint": compiled.config.fingerprint,
        "tokens": compiled.tokens,
        "image": {
            "file": IMAGE,
            "bytes": len(compiled.image),
            "sha256": hashlib.sha256(compiled.image).hexdigest(),
        },
        "program": {"offset": compiled.program, "instructions": compiled.instructions},
        "data": {"bytes": compiled.data_bytes},
        "inputs": {name: region.data() for name, region in compiled.inputs.items()},
        "layers": [each.data() for each in compiled.layers],
        "facts": dict(facts),
    }
    try:
        description = json.loads(json.dumps(description, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise CompileError(f"{DESCRIPTION}: {error}") from None
    return text_of(description | {"sha256": checksum(description)})


def text_of(description: Mapping[str, Any]) -> str:
    """How the JSON is laid out."""
    return json.dumps(description, indent=2) + "\n"


def compiled_of(found: Mapping[str, Any], image: bytes) -> Compiled:
    """The program of a JSON and an image.

    Raises
    ------
    ConfigError, KeyError, TypeError, ValueError, AttributeError : the JSON is not one of `described`.
    """
    config = Config.parse(found["configuration"])
    layers = []
    for entry in found["layers"]:
        fields = dict(entry)
        fields["input"], fields["output"] = Region(**fields["input"]), Region(**fields["output"])
        fields["instructions"] = tuple((first, end) for first, end in fields["instructions"])
        layers.append(CompiledLayer(**fields))
    compiled = Compiled(
        config,
        found["tokens"],
        image,
        found["program"]["offset"],
        found["program"]["instructions"],
        found["data"]["bytes"],
        {name: Region(**region) for name, region in found["inputs"].items()},
        tuple(layers),
    )
    _check_places(compiled)
    return compiled


def _check_places(compiled: Compiled) -> None:
    """Everything lies where there is something.

    Raises
    ------
    ValueError : it does not.
    """
    end = compiled.program + compiled.instructions * INSTRUCTION_BYTES
    if not 0 <= compiled.program < end <= len(compiled.image):
        raise ValueError(
            f"program of {compiled.instructions} instructions at {compiled.program} is not in the image"
        )
    word = compiled.config.bus.data_bytes
    for region in [
        *compiled.inputs.values(),
        *(place for each in compiled.layers for place in (each.input, each.output)),
    ]:
        last = region.offset + compiled.tokens * region.pitch
        sound = compiled.tokens >= 1 <= region.numbers <= region.pitch // 2 and region.offset >= 0
        if not sound or region.offset % word or region.pitch % word or last > compiled.data_bytes:
            raise ValueError(
                f"{region} for {compiled.tokens} tokens is not in data of {compiled.data_bytes} bytes"
            )
