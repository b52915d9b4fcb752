"""Compile a quantized model: a program and an image of DRAM that the processor runs by itself."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevedo.gen.cli import ConfigType, UserError

if TYPE_CHECKING:
    from sevedo.gen.compile import Compiled
    from sevedo.gen.config import Config
    from sevedo.ref.linear import QuantizedLinear

TOKENS = 16


@click.command("compile")
@click.argument("artefact", type=click.Path(path_type=Path))
@click.option(
    "--config",
    type=ConfigType(),
    help="The processor: a preset or a TOML file; numbers and groups are the artefact's.  [default: the artefact's]",
)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="A folder for image.bin and program.json."
)
@click.option(
    "--tokens", type=click.IntRange(min=1), default=TOKENS, show_default=True, help="Tokens T of every layer."
)
@click.option(
    "--layer",
    "names",
    multiple=True,
    metavar="NAME",
    help="Only this layer; may be given more than once.  [default: all]",
)
def command(artefact: Path, config: Config | None, out: Path, tokens: int, names: tuple[str, ...]) -> None:
    """Compile the layers of ARTEFACT, which `sevedo quantize` wrote, in their order, for T tokens each.

    The folder is made beside and renamed; its checksums refuse one that was cut short or changed. docs/image.md and
    docs/instructions.md say what is in it.

    \b
    Examples:
      sevedo compile build/minilm --config core --out build/minilm-program
      sevedo compile build/minilm --config fpga --layer encoder.layer.0.attention.self.query --out build/layer
    """
    from sevedo.gen.compile import compile_layers, save_compiled, shared_inputs
    from sevedo.gen.compile.directory import check_folder
    from sevedo.gen.compile.layout import facts_kind
    from sevedo.ref.artefact import load

    check_folder(out)
    found = load(artefact)
    chosen = found.config if config is None else config
    _check_same(found.config, chosen)
    layers = _chosen(found.layers, names)
    shares = shared_inputs(facts_kind(found.facts), layers)
    compiled = compile_layers(layers, chosen, tokens, shares=shares)
    facts: dict[str, Any] = {
        key: found.facts[key] for key in ("model", "recipe", "versions") if key in found.facts
    }
    save_compiled(out, compiled, facts)
    _show(compiled, out)


def _chosen(layers: Mapping[str, QuantizedLinear], names: tuple[str, ...]) -> Mapping[str, QuantizedLinear]:
    """The layers that are asked for, in the artefact's order."""
    for name in names:
        if name not in layers:
            near = get_close_matches(name, layers, 3, 0) or list(layers)[:3]
            raise UserError(f"layer={name} must be one of the artefact's: {', '.join(near)}, ...")
    return {name: each for name, each in layers.items() if not names or name in names}


def _check_same(artefact: Config, config: Config) -> None:
    """What decides bits must be the same."""
    for section in ("numbers", "groups"):
        there, wanted = getattr(artefact, section).model_dump(), getattr(config, section).model_dump()
        for field in [*there, *wanted]:
            if there.get(field) != wanted.get(field):
                raise UserError(
                    f"config: {section}.{field}={wanted.get(field)} must be {there.get(field)}, as in the artefact"
                )


def _show(compiled: Compiled, out: Path) -> None:
    weights = sum(each.inputs * each.outputs for each in compiled.layers)
    operands = sum(sum(each.bytes.values()) for each in compiled.layers)
    click.echo(
        f"{len(compiled.layers)} layers for {compiled.tokens} tokens: {compiled.instructions} instructions, "
        f"{operands:,} bytes of operands ({8 * operands / weights:.2f} bits a weight), {compiled.data_bytes:,} bytes "
        f"of inputs and outputs"
    )
    click.echo(f"written: {out}")
