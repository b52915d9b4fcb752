"""The Python machine: what every instruction does, what stops it, and that nothing else does."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter

import numpy as np
import pytest
import torch
from layers import CLASSES, activations, layer
from programs import check_layers, execute, processor_config, random_layers
from random_programs import flipped, random_program

import sevedo.gen.compile.beats as beats_module
import sevedo.ref.machine.matmul as matmul_module
import sevedo.ref.machine.stream as stream_module
from sevedo.gen.compile import compile_layers
from sevedo.gen.compile.tokens import Token
from sevedo.gen.config import FP16, Config, Rounding, preset
from sevedo.gen.config.instructions import INSTRUCTION_BYTES, NO_UNIT, TOKEN_LIMIT, Error, Unit, encode
from sevedo.gen.program import assemble
from sevedo.ref.machine import Machine, Report, run
from sevedo.ref.rounding import decode, round_to

TINY = preset("tiny")
SMALL = CLASSES.replace(
    memory__inputs=128,
    memory__iomem_kib=1,
    memory__weights_kib=1,
    rmc__weight_passes=2,
    rmc__activation_passes=2,
)


def machine(
    text: str, data: bytes = bytes(4096), image: bytes = b"", config: Config = TINY
) -> tuple[Report, Machine]:
    """A program run; the image goes on with `image` at byte 1024."""
    code = assemble(text).ljust(1024, b"\0") + image
    found = Machine(config, code, bytearray(data))
    return found.run(), found


# -- what instructions do -------------------------------------------------------------------------------------


def test_load_fills_rows_and_multipliers() -> None:
    data = np.arange(1, 2049, dtype="<u2").tobytes()
    report, found = machine(
        "LOAD segment=data target=iomem address=16 pitch=128 row=3 tokens=2 inputs=37\n"
        "LOAD segment=data target=multipliers address=8 row=5 tokens=1 inputs=20\nEND",
        data,
    )
    assert report == Report(Error.NONE, NO_UNIT, 3)
    expected = np.zeros_like(found.memories.iomem)
    for token in range(2):
        expected[token, 48 : 48 + 37] = np.arange(37) + 9 + 64 * token
    np.testing.assert_array_equal(found.memories.iomem, expected)
    assert found.memories.multipliers[80:100].tolist() == list(range(5, 25))
    assert found.memories.multipliers.sum() == sum(range(5, 25))


def test_store_writes_exactly_the_outputs() -> None:
    quantized = layer(TINY, (5, 30, 10, 3), seed=1)[0]
    x = activations(5, 30, "normal", 2)
    compiled = compile_layers({"fc": quantized}, TINY, 5)
    data = compiled.data({"fc": torch.zeros(5, 30, dtype=torch.int64).numpy()})
    image = compiled.image
    data[:] = bytes([0xA5]) * len(data)
    given = compiled.data({"fc": round_bits(x)})
    region, out = compiled.layers[0].input, compiled.layers[0].output
    data[: out.offset] = given[: out.offset]
    before = bytes(data)
    assert run(TINY, image, data).done
    touched = {place for place in range(len(data)) if data[place] != before[place]}
    allowed = {out.offset + token * out.pitch + n for token in range(5) for n in range(20)}
    assert touched <= allowed
    assert len(touched) > 0.9 * len(allowed)
    assert out.pitch == 24
    assert region.pitch == 64
    assert image == compiled.image


def round_bits(x: torch.Tensor) -> np.ndarray:
    """Encodings in FP16."""
    return x.to(torch.float16).view(torch.int16).numpy().astype(np.int64) & 0xFFFF


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_turns_changes_nothing(seed: int) -> None:
    """Compiled programs order by tokens all that must be ordered."""
    config = processor_config(seed)
    layers, x = random_layers(config, seed, 6)
    compiled = compile_layers(layers, config, next(iter(x.values())).shape[0])
    for turns in range(4):
        report, found, outputs = execute(compiled, x, random.Random(turns))
        assert report.done, str(report)
        assert not any(found.tokens)
        for name, each in layers.items():
            np.testing.assert_array_equal(outputs[name], each.run(x[name]).output_bits.numpy())


@pytest.mark.parametrize("kind", [Token.LOADED, Token.CODED, Token.ROOM, Token.STORED])
def test_without_its_tokens_a_program_goes_wrong(kind: Token) -> None:
    """So the test before this one can fail. (CODE_ROOM follows from ROOM as long as every step loads something.)"""
    config = TINY.replace(memory__iomem_kib=1, memory__inputs=80, lvc__int8_ranks=0, lvc__int4_ranks=0)
    layers = {f"fc{n}": layer(config, (3, 80, 80, 0), seed=n)[0] for n in range(4)}
    chains = {f"fc{n}": f"fc{n - 1}" for n in range(1, 4)} if kind is Token.STORED else {}
    x = {f"fc{n}": activations(3, 80, "normal", n) / 1000 for n in range(4)}
    compiled = compile_layers(layers, config, 3, chains=chains)
    expected, value = {}, x["fc0"]
    for name, each in layers.items():
        trace = each.run(value if chains else x[name])
        expected[name], value = trace.output_bits.numpy(), trace.output
    end = compiled.instructions * INSTRUCTION_BYTES
    code = bytearray(compiled.image)
    for place in range(0, end, INSTRUCTION_BYTES):
        for mask in (place + 1, place + 2):
            code[mask] &= ~(1 << kind)
    broken = dataclasses.replace(compiled, image=bytes(code))
    wrong = 0
    outputs = execute(compiled, x)[2]
    assert all((outputs[name] == bits).all() for name, bits in expected.items())
    for turns in range(12):
        outputs = execute(broken, x, random.Random(turns))[2]
        wrong += any((outputs[name] != bits).any() for name, bits in expected.items())
    assert wrong >= 1


def test_the_lowest_codes_of_all() -> None:
    """Weights of -8, or of two digits with all bits set, are computed too."""
    for digits, lowest in ((1, -8), (2, -128)):
        quantized = layer(SMALL, (5, 40, 9, 3), seed=2 if digits == 2 else 4)[0]
        assert quantized.weight.scheme.digits == digits
        codes = torch.full_like(quantized.weight.codes, lowest)
        classes = tuple(
            dataclasses.replace(part, u=torch.full_like(part.u, -8 if part.digits == 1 else -128))
            for part in quantized.classes
        )
        low = dataclasses.replace(
            quantized, weight=dataclasses.replace(quantized.weight, codes=codes), classes=classes
        )
        check_layers({"fc": low}, {"fc": activations(5, 40, "outliers", 1)}, SMALL)


# -- what stops it --------------------------------------------------------------------------------------------

LOAD = "LOAD segment=data target=iomem pitch=64 tokens=2 inputs=16"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (".bytes " + "08" + 62 * "0", Report(Error.ILLEGAL, NO_UNIT, 0, 0)),
        (f"{LOAD}\n.bytes 07{54 * '0'}80000000", Report(Error.ILLEGAL, NO_UNIT, 1, 0)),
        ("END give=1", Report(Error.ILLEGAL, NO_UNIT, 0, 0)),
        ("LOAD segment=data address=4 tokens=1 inputs=1\nEND", Report(Error.ILLEGAL, NO_UNIT, 0, 0)),
        ("SYNC unit=7", Report(Error.ILLEGAL, NO_UNIT, 0, 0)),
        (LOAD.replace("pitch=64", "pitch=4072") + "\nEND", Report(Error.RANGE, Unit.LOAD, 0, 4096)),
        ("LOAD segment=data address=0xfffffff8 tokens=1 inputs=1\nEND", Report(Error.RANGE, Unit.LOAD, 0, 0xFFFFFFF8)),
        ("STREAM words=1 address=1024 count_v=1\nEND", Report(Error.RANGE, Unit.STREAM, 0, 1024)),
        ("SYNC\n" * 32, Report(Error.RANGE, NO_UNIT, 32, 0)),
        ("SYNC wait=3\nSYNC unit=store wait=0\nEND", Report(Error.TOKEN_MISSING, Unit.LOAD, 0, 0)),
        ("SYNC unit=matmul give=3\nSYNC wait=3,4\nEND", Report(Error.TOKEN_MISSING, Unit.LOAD, 1, 0)),
        ("SYNC give=2\n" * (TOKEN_LIMIT + 1) + "END", Report(Error.TOKEN_OVERFLOW, Unit.LOAD, TOKEN_LIMIT, 0)),
        ("STREAM segment=data words=3 count_v=2\nEND", Report(Error.STREAM, Unit.STREAM, 0, 0)),
        ("STREAM segment=data words=1 count_v=2\nEND", Report(Error.STREAM, Unit.STREAM, 0, 0)),
        ("STREAM segment=data words=2 count_v=2\nEND", Report(Error.STALL, NO_UNIT, 2, 0)),
        ("STREAM segment=data words=400 count_v=1\nEND", Report(Error.STALL, Unit.STREAM, 0, 0)),
        ("MATMUL inputs=5 groups=1 row_tiles=1\nEND", Report(Error.STALL, Unit.MATMUL, 0, 0)),
        ("STORE pitch=8 tokens=1 outputs=4 row_tiles=1\nEND", Report(Error.STALL, Unit.STORE, 0, 0)),
    ],
)  # fmt: skip
def test_errors(text: str, expected: Report) -> None:
    report, _ = machine(text)
    assert report == expected
    assert report.code.name in str(report)


def test_outputs_that_are_left_and_outputs_without_room() -> None:
    quantized = layer(TINY, (1, 16, 4, 0), seed=0)[0]
    for outputs, error in ((4, Error.STALL), (4 * 17, Error.STALL)):
        quantized = layer(TINY, (1, 16, outputs, 0), seed=0)[0]
        compiled = compile_layers({"fc": quantized}, TINY, 1)
        end = compiled.instructions * INSTRUCTION_BYTES
        code = [compiled.image[p : p + INSTRUCTION_BYTES] for p in range(0, end, INSTRUCTION_BYTES)]
        code = [encode("SYNC") if each[0] == 5 else each for each in code]  # no STORE
        data = compiled.data({"fc": np.zeros((1, 16), np.int64)})
        report = run(TINY, b"".join(code) + compiled.image[end:], data)
        assert report.code is error
        assert report.unit == (NO_UNIT if outputs == 4 else Unit.MATMUL)


def test_a_store_out_of_range_writes_nothing_there() -> None:
    quantized = layer(TINY, (1, 16, 4, 0), seed=0)[0]
    compiled = compile_layers({"fc": quantized}, TINY, 1)
    data = compiled.data({"fc": np.zeros((1, 16), np.int64)})
    short = data[: compiled.layers[0].output.offset]
    report = run(TINY, compiled.image, short)
    assert report == Report(Error.RANGE, Unit.STORE, report.instruction, len(short))
    assert short == data[: len(short)]


def test_a_program_begins_where_an_instruction_can() -> None:
    for place, done in ((0, True), (32, True), (8, False), (16, False), (2**31, False)):
        report = run(TINY, encode("END") * 4, bytearray(), place)
        assert report.done is done
        assert report.code in (Error.NONE, Error.RANGE)


def test_queues_have_few_places() -> None:
    """A token that is given behind more instructions than the queue holds never comes."""
    for count, done in ((4, True), (5, False)):
        text = "SYNC wait=0\n" + "SYNC\n" * (count - 1) + "SYNC unit=store give=0\nEND"
        assert machine(text)[0].done is done


# -- whatever the program -------------------------------------------------------------------------------------


def check_random_programs(count: int) -> Counter[str]:
    """Random programs and images: every run ends with a report, and changes nothing but the data segment."""
    found: Counter[str] = Counter()
    for seed in range(count):
        rng = random.Random(seed)
        code = random_program(SMALL, (2048, 1024), 12, seed)
        image = code + rng.randbytes(2048 - len(code))
        data = bytearray(rng.randbytes(1024))
        copy = bytes(image)
        report = run(SMALL, image, data)
        assert image == copy
        assert len(data) == 1024
        assert 0 <= report.instruction <= len(code) // INSTRUCTION_BYTES
        assert report.done or str(report)
        found[report.code.name] += 1
    return found


def check_mutated_programs(count: int) -> Counter[str]:
    """Compiled programs with bits flipped, in the program or anywhere."""
    layers, _ = random_layers(SMALL, 2, 3)
    compiled = compile_layers(layers, SMALL, 6)
    end = compiled.instructions * INSTRUCTION_BYTES
    found: Counter[str] = Counter()
    for seed in range(count):
        rng = random.Random(seed)
        code = flipped(compiled.image[:end], rng.randint(1, 3), rng) if seed % 2 else compiled.image[:end]
        rest = compiled.image[end:] if seed % 4 else flipped(compiled.image[end:], 50, rng)
        data = bytearray(rng.randbytes(compiled.data_bytes))
        found[run(SMALL, code + rest, data).code.name] += 1
    return found


def test_random_programs_are_reported() -> None:
    found = check_random_programs(600)
    assert {"ILLEGAL", "RANGE", "STREAM", "STALL", "TOKEN_MISSING", "NONE"} <= set(found)


def test_mutated_programs_are_reported() -> None:
    found = check_mutated_programs(120)
    assert {"ILLEGAL", "RANGE", "STREAM", "NONE"} <= set(found)


@pytest.mark.exact
def test_ten_thousand_programs_are_reported() -> None:
    assert sum(check_random_programs(10000).values()) == 10000
    assert sum(check_mutated_programs(2000).values()) == 2000


# -- faults that must be seen ---------------------------------------------------------------------------------


beats_of, unpack, padded = matmul_module.in_beats, stream_module.unpack_sections, beats_module._padded


def _truncated(values: torch.Tensor, fmt: object, *_: object) -> torch.Tensor:
    return round_to(values, FP16, Rounding.TOWARD_ZERO)


def _raised(bits: torch.Tensor, fmt: object) -> torch.Tensor:
    return decode(torch.where(bits == 0, 0, bits ^ 1), fmt)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("module", "name", "fault"),
    [
        (matmul_module, "round_to", _truncated),
        (matmul_module, "decode", _raised),
        (matmul_module, "low_rank", lambda x, u, v, data: (None, u.new_zeros(len(x), len(u)).float())),
        (matmul_module, "expand", lambda x, part: (None, torch.zeros(len(x.codes), len(part.u)))),
        (matmul_module, "in_beats", lambda rows, lanes: dataclasses.replace(
            beats_of(rows, lanes), codes=rows.codes.roll(1, 1))),
        (stream_module, "unpack_sections",
         lambda operand, raw, beats, bus: unpack(operand, raw, beats, bus)[..., ::-1]),
        (beats_module, "_padded", lambda values, axis, size: padded(np.roll(values, 1, axis), axis, size)),
    ],
)  # fmt: skip
def test_faults_are_seen(module: object, name: str, fault: object, monkeypatch: pytest.MonkeyPatch) -> None:
    quantized = layer(TINY, (6, 80, 9, 4), seed=5)[0]
    assert len(quantized.classes) >= 1
    x = {"fc": activations(6, 80, "outliers", 1)}
    check_layers({"fc": quantized}, x, TINY)
    monkeypatch.setattr(module, name, fault)
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        check_layers({"fc": quantized}, x, TINY)
