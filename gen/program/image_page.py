"""docs/image.md, from the description of operands and from what the compiler writes."""

from __future__ import annotations

from collections.abc import Iterator

from sevedo.gen.compile.compiled import Compiled
from sevedo.gen.config import preset
from sevedo.gen.config.instructions import INSTRUCTION_BYTES, Segment, Target, decode
from sevedo.gen.config.operands import NAMES, Operand, operands

from .example import example
from .instructions_page import page, wrapped

PRESET = "core"
"""Whose sizes the page shows."""

BEATS = {
    "v": ("V[block of `lvc.ranks` ranks, k]", "k ascending, for each block"),
    "int_v_scale": ("a scale of `lvc.int_ranks` rows of V", "coarse groups ascending"),
    "int_v_fine": ("the number of their fine group", "fine numbers of `rmc.lanes` inputs each, k ascending"),
    "int_v": (
        "`rmc.lanes` codes of each of them",
        "coarse groups ascending; in one the high digit's beats, then the low one's",
    ),
    "bias": ("a number of `rmc.rows` outputs", "one for each row tile"),
    "u": ("U[group of row tiles, r]", "r ascending, for each group of `lvc_tiles` row tiles"),
    "int_u_scale": ("an FP16 scale of `rmc.rows` outputs", "INT8, then INT4, those with ranks, for each row tile"),
    "int_u": (
        "`lvc.int_lanes` codes of U of `rmc.rows` outputs",
        "for each row tile and class: high digit, then low; in each ranks ascending",
    ),
    "w_scale": ("a scale of `rmc.rows` outputs", "coarse groups ascending, for each row tile"),
    "w_fine": ("the number of their fine group", "as int_v_fine, for each row tile"),
    "w": ("`rmc.lanes` codes of each of them", "as int_v, for each row tile"),
}  # fmt: skip
"""What a beat of each operand holds, and the order of beats."""


def image_page() -> str:
    """The whole page."""
    config = preset(PRESET)
    bus = 8 * config.bus.data_bytes
    return page(
        "image.md",
        preset=PRESET,
        bus=bus,
        tiles=config.lvc_tiles,
        operands="\n".join(_row(name, operand, bus) for name, operand in operands(config).items()),
        example="\n".join(_example(example())),
    )


def _row(name: str, operand: Operand, bus: int) -> str:
    what, order = BEATS[name]
    shape = " x ".join(str(size) for size in operand.shape)
    words = operand.words_of_beat(bus)
    share = str(operand.beats_in_word(bus)) if words == 1 else f"1 / {words}"
    return (
        f"| `{name}` | {what} | {order} | {shape} | {operand.bits} | {operand.width} | {operand.slot(bus)} | {share} "
        f"| {operand.depth} |"
    )


def _example(compiled: Compiled) -> Iterator[str]:
    config, layer = compiled.config, compiled.layers[0]
    yield "## An example, byte by byte"
    yield wrapped(
        "The layer `fc` of [artefact.md](artefact.md), K = 6, N = 2, one rank in floating point and three in INT4, on "
        "preset `tiny` with 2 x 2 PEs of 2 lanes, groups of fine 2 and coarse 4, lvc.lanes 4, lvc.ranks 1, no INT8 "
        f"class and a bus of {config.bus.data_bytes} bytes, for {compiled.tokens} tokens. Place, bytes in "
        "the order of their addresses, bus words apart, and what they are:"
    )
    yield "\n```text"
    end = compiled.instructions * INSTRUCTION_BYTES
    yield f"{0:4}  {compiled.image[:4].hex(' ')} ...  the program, {compiled.instructions} instructions"
    for number in range(compiled.instructions):
        code = compiled.image[number * INSTRUCTION_BYTES : (number + 1) * INSTRUCTION_BYTES]
        instruction, f, _ = decode(code)
        assert instruction is not None
        if instruction.name == "LOAD" and f["target"] == Target.MULTIPLIERS:
            raw = compiled.image[f["address"] : f["address"] + layer.bytes["multipliers"]]
            yield f"{f['address']:4}  {raw.hex(' ')}  multipliers"
        if instruction.name == "STREAM" and f["segment"] == Segment.IMAGE:
            yield from _stream(compiled, f)
    yield f"{len(compiled.image):4}  end"
    yield f"```\n\nEverything between is 0: operands begin at multiples of 128 bytes. The program ends at {end}.\n"
    source, target = layer.input, layer.output
    yield wrapped(
        f"Segment DATA has {compiled.data_bytes} bytes: x of token t from {source.offset} + {source.pitch} t on, "
        f"{layer.inputs} numbers; y from {target.offset} + {target.pitch} t on, {layer.outputs} numbers."
    )
    yield ""
    yield wrapped(
        "Row 0 of the weight is 1, -2, 3, -4, 5, -6, 0, 0 and row 1 is 7, -7, 0, 1, -1, 2, 0, 0. So the first beat of "
        "w has 1, -2 and 7, -7: nibbles 1, e, 7, 9 from the lowest up, bytes `e1 97`. The shifts of row 0 are 0, 1, 1, "
        "0, of row 1 1, 1, 0, 0: beats of w_fine 10, 11, 01, 00 in binary, row 0 lowest, a byte each."
    )


def _stream(compiled: Compiled, f: dict[str, int]) -> Iterator[str]:
    """The sections of a STREAM, a line for each."""
    known, word, at = operands(compiled.config), compiled.config.bus.data_bytes, f["address"]
    end, bundle = at + f["words"] * word, 0
    counts = {name: f[f"count_{name}"] for name in NAMES if f[f"count_{name}"]}
    while at < end:
        for name, count in counts.items():
            size = known[name].words(count, 8 * word) * word
            beats = "1 beat" if count == 1 else f"{count} beats"
            shown = compiled.image[at : at + size].hex(" ", -word)
            yield f"{at:4}  {shown}  {name}, {beats}, bundle {bundle}"
            at += size
        bundle += 1
