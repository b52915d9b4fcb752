"""Layers in, program and operands out."""

from __future__ import annotations

from collections.abc import Mapping

from sevedo.gen.config import Config, ConfigError
from sevedo.gen.config.instructions import INSTRUCTION_BYTES, Segment, encode
from sevedo.ref.linear import QuantizedLinear
from sevedo.ref.rounding import encode as encode_numbers

from .bundles import layer_streams
from .compiled import Compiled, CompiledLayer
from .errors import CompileError
from .layout import lay_out
from .memory import usable_rows
from .program import Placed, Writer

ALIGNMENT = 128
"""Bytes: what every operand's place in the image is a multiple of; that of the widest bus."""


def compile_layers(
    layers: Mapping[str, QuantizedLinear],
    config: Config,
    tokens: int,
    *,
    shares: Mapping[str, str] | None = None,
    chains: Mapping[str, str] | None = None,
) -> Compiled:
    """A program that runs layers in order.

    Parameters
    ----------
    layers : by name; their numbers and groups are those of `config`, sizes may be others
    config : the processor
    tokens : T of every layer
    shares : layers that read the input of an earlier one, with that
    chains : layers that read the output of an earlier one, with that; all others have inputs of their own

    Raises
    ------
    CompileError, ConfigError : the processor cannot run the layers; one line.
    """
    config.check_processor()
    if not layers:
        raise CompileError("layers must be at least one")
    if not 1 <= tokens <= config.limits.tokens:
        raise CompileError(f"tokens={tokens} must be between 1 and limits.tokens={config.limits.tokens}")
    for name, layer in layers.items():
        _check(name, layer, config, tokens)
    layout = lay_out(layers, config, tokens, shares or {}, chains or {})
    content: list[bytes] = []
    place = 0

    def put(part: bytes) -> int:
        nonlocal place
        found = place
        content.append(part + bytes(-len(part) % ALIGNMENT))
        place += len(content[-1])
        return found

    placed, sizes = [], {}
    for name, layer in layers.items():
        streams, sizes[name] = layer_streams(name, layer, config)
        multipliers = (
            encode_numbers(layer.multiplier, config.numbers.data_format).numpy().astype("<u2").tobytes()
        )
        sizes[name]["multipliers"] = len(multipliers)
        placed.append(Placed(name, layer, put(multipliers), [(put(each.content), each) for each in streams]))
    program = Writer(config, tokens, layout).write(placed)
    first = -(-len(program.instructions) * INSTRUCTION_BYTES // ALIGNMENT) * ALIGNMENT
    if first + place >= 1 << 32:
        raise CompileError(f"layers make an image of {first + place} bytes; it can have {(1 << 32) - 1}")
    code = []
    for each in program.instructions:
        fields = each.all_fields
        if fields.get("segment") == Segment.IMAGE and "address" in fields:
            fields["address"] += first
        code.append(encode(each.name, **fields))
    image = b"".join(code).ljust(first, b"\0") + b"".join(content)
    described = tuple(
        CompiledLayer(
            name, layer.inputs, layer.outputs, layer.rank, layer.class_rank(2), layer.class_rank(1),
            layer.activation_scheme.digits, layer.weight.scheme.digits,
            layout.reads[name], layout.outputs[name], sizes[name], tuple(program.ranges[name]),
        )
        for name, layer in layers.items()
    )  # fmt: skip
    return Compiled(
        config, tokens, image, 0, len(program.instructions), layout.size, dict(layout.inputs), described
    )


def _check(name: str, layer: QuantizedLinear, config: Config, tokens: int) -> None:
    """Refuse a layer that the processor cannot run."""
    if (layer.config.numbers, layer.config.groups) != (config.numbers, config.groups):
        raise CompileError(f"layer {name}: its numbers and groups must be the configuration's")
    try:
        config.check_layer(
            tokens, layer.inputs, layer.outputs, layer.rank, layer.class_rank(2), layer.class_rank(1)
        )
    except ConfigError as error:
        raise CompileError(f"layer {name}: {error}") from None
    digits = {
        "activation_passes": (layer.activation_scheme.digits, config.rmc.activation_passes),
        "weight_passes": (layer.weight.scheme.digits, config.rmc.weight_passes),
    }
    for field, (wanted, there) in digits.items():
        if wanted > there:
            raise CompileError(
                f"layer {name}: codes of {wanted} digits need rmc.{field}={wanted}; it is {there}"
            )
    if layer.inputs > config.operand_inputs:
        raise CompileError(
            f"layer {name}: inputs K={layer.inputs} must be at most memory.inputs={config.memory.inputs}; "
            "a configuration can raise it"
        )
    rows = -(-layer.inputs // config.rmc.lanes)
    if rows > usable_rows(config):
        raise CompileError(
            f"layer {name}: inputs K={layer.inputs} need {rows} rows of IOMEM; memory.iomem_kib="
            f"{config.memory.iomem_kib} has {usable_rows(config)}"
        )
