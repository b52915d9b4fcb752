"""The script of a board's self-test: a small layer, and what the golden model makes of it."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from sevedo.gen.compile import Compiled, compile_layers
from sevedo.gen.config import Config
from sevedo.gen.config.link import (
    MEMORY_BASE,
    OPERANDS,
    PROCESSOR_BASE,
    STATUS_WINDOW,
    SUMS_WINDOW,
    ArrayStatus,
    array_window,
)
from sevedo.gen.config.register_map import BY_NAME
from sevedo.gen.host.array_words import ArrayWords
from sevedo.hw.board.self_test import Step
from sevedo.ref.grouped import GroupScheme
from sevedo.ref.linear import quantize_linear
from sevedo.ref.machine import run as run_machine
from sevedo.ref.rounding import encode, round_to
from sevedo.ref.rows import quantize_activations, quantize_weights

WATCHDOG = 100_000
SEED = 8


def layer(config: Config) -> tuple[Compiled, bytes, bytes]:
    """A program that uses all that `config` has, its data before, and after the golden machine has run it.

    Two row tiles of a tile's tokens; K is a coarse group and a tail; a low-rank part of each class; a bias.
    """
    rows, groups = config.rmc.rows, config.groups
    inputs = min(groups.coarse + groups.fine + 1, config.operand_inputs)
    outputs = min(2 * rows, config.limits.outputs)
    tokens = min(config.rmc.cols, config.limits.tokens)
    ranks = min(config.lvc.max_rank, 2, outputs)
    classes = {f"{each.name}_rank": min(each.ranks, 2) for each in config.rank_classes}
    generator = torch.Generator().manual_seed(SEED)

    def numbers(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    weight, bias, x = numbers(outputs, inputs), numbers(outputs), numbers(tokens, inputs)
    weight[:, 0] *= 8
    x[:, 1] *= 100
    room = min(outputs, inputs)
    ranks = min(ranks, room)
    for name in classes:
        classes[name] = min(classes[name], max(room - ranks, 0))
        room -= classes[name]
    quantized = quantize_linear(weight, bias, numbers(tokens, inputs), config, ranks, **classes)
    compiled = compile_layers({"test": quantized}, config, tokens)
    data = compiled.data({"test": encode(x, config.numbers.data_format).numpy()})
    before = bytes(data)
    report = run_machine(config, compiled.image, data, compiled.program)
    assert report.done, str(report)
    return compiled, before, bytes(data)


def script(config: Config) -> tuple[int, ...]:
    """Words of `sevedo.hw.board.self_test.SelfTest` for a board with a processor of `config`."""
    compiled, before, after = layer(config)
    word = max(config.bus.data_bytes, 4)
    data = -(-len(compiled.image) // word) * word
    size = -(-compiled.data_bytes // word) * word
    place = MEMORY_BASE + data
    words: list[int] = []
    words += _write(MEMORY_BASE, _words(compiled.image)) + _write(place, _words(before))
    settings = {
        "IMAGE_BASE_LOW": MEMORY_BASE, "IMAGE_BASE_HIGH": 0, "IMAGE_SIZE": data, "PROGRAM": compiled.program,
        "DATA_BASE_LOW": place, "DATA_BASE_HIGH": 0, "DATA_SIZE": size, "WATCHDOG": WATCHDOG,
        "INTERRUPT_ENABLE": 0,
    }  # fmt: skip
    for name, value in settings.items():
        words += _write(PROCESSOR_BASE + BY_NAME[name].offset, [value])
    control, status = BY_NAME["CONTROL"], BY_NAME["STATUS"]
    words += _write(PROCESSOR_BASE + control.offset, [control.field("start").mask])
    done = status.field("done").mask
    mask = done | status.field("running").mask
    words += [Step.POLL << 30, PROCESSOR_BASE + status.offset, mask, done]
    words += [Step.CHECK << 30 | len(_words(after)), place, *_words(after)]
    words += _write(PROCESSOR_BASE + BY_NAME["INTERRUPT"].offset, [3])
    words += _write(PROCESSOR_BASE + control.offset, [control.field("clear").mask])
    return (*words, Step.END << 30)


def array_layer(config: Config) -> ArrayWords:
    """A residual path of two tiles of outputs; K is a coarse group and a tail."""
    groups, rmc = config.groups, config.rmc
    inputs = min(groups.coarse + groups.fine + 1, config.limits.inputs)
    outputs, tokens = min(2 * rmc.rows, config.limits.outputs), min(rmc.cols, config.limits.tokens)
    generator = torch.Generator().manual_seed(SEED)
    x = torch.randn(tokens, inputs, generator=generator, dtype=torch.float64)
    w = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64)
    x[:, 1] *= 100
    return ArrayWords.of(
        config,
        quantize_activations(round_to(x, config.numbers.data_format), GroupScheme.activations(config)),
        quantize_weights(w, GroupScheme.weights(config)),
    )


def array_script(config: Config) -> tuple[int, ...]:
    """Words of `SelfTest` for a board with the array of `config` alone: `array_layer`, sum by sum."""
    told = array_layer(config)

    def push(name: str, beat: Iterable[int]) -> list[int]:
        return _write(array_window(OPERANDS.index(name)), [int(word) for word in beat])

    words = push("command", told.command)
    for tile in told.tiles:
        for name, beat in tile.writes:
            words += push(name, beat)
        for sums in tile.sums:
            status = array_window(STATUS_WINDOW) + 4 * ArrayStatus.THERE
            words += [Step.POLL << 30, status, 1, 1]
            words += [Step.CHECK << 30 | len(sums), array_window(SUMS_WINDOW), *(int(word) for word in sums)]
            words += _write(array_window(SUMS_WINDOW), [0])
    return (*words, Step.END << 30)


def _write(address: int, words: list[int]) -> list[int]:
    return [Step.WRITE << 30 | len(words), address, *words]


def _words(content: bytes) -> list[int]:
    """Words of 32 bits, little-endian, the last padded."""
    padded: Iterable[int] = range(0, len(content), 4)
    return [int.from_bytes(content[at : at + 4], "little") for at in padded]
