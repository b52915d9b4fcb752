"""The artefact: what comes back equals what was saved, bit for bit; what it may not hold is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sevedo.gen.config import SCHEMES, Config, preset
from sevedo.ref.artefact import Artefact, ArtefactError, load, save
from sevedo.ref.artefact.layers import layer_of, layer_tensors
from sevedo.ref.artefact.layout import LayerSizes, expected
from sevedo.ref.artefact.packing import pack, packed_length, unpack
from sevedo.ref.linear import QuantizedLinear, quantize_linear
from sevedo.ref.writing import sha256

SMALL = preset("tiny").replace(
    groups__fine=4, groups__coarse=12, rmc__lanes=4, lvc__int8_ranks=3, lvc__int4_ranks=4
)


def small_layer(config: Config, seed: int = 0, rank: int = 3, **options: int) -> QuantizedLinear:
    """A layer of random weights, K = 29 and N = 7, no sizes that fill whole groups and bytes."""
    torch.manual_seed(seed)
    weight, x = torch.randn(7, 29).double(), torch.randn(40, 29).double()
    return quantize_linear(weight, torch.randn(7).double(), x, config, rank, **options)


def check_equal(one: QuantizedLinear, other: QuantizedLinear) -> int:
    """Every number of both layers, compared as bits; how many there were."""
    assert one.config == other.config
    assert one.activation_scheme == other.activation_scheme
    assert len(one.classes) == len(other.classes)
    pairs = [(getattr(one, n), getattr(other, n)) for n in ("u", "v", "multiplier", "bias")]
    groups = [(one.weight, other.weight)]
    for part, same in zip(one.classes, other.classes, strict=True):
        groups.append((part.v, same.v))
        pairs += [(part.u, same.u), (part.scales, same.scales)]
    for rows, copy in groups:
        assert (rows.scheme, rows.inputs) == (copy.scheme, copy.inputs)
        pairs += [(rows.codes, copy.codes), (rows.fine, copy.fine), (rows.scales, copy.scales)]
    for a, b in pairs:
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
        assert torch.equal(torch.signbit(a.double()), torch.signbit(b.double()))
    return sum(a.numel() for a, _ in pairs)


def test_packing_is_the_inverse_of_unpacking_at_every_width() -> None:
    compared = 0
    for bits in range(1, 9):
        for columns in (1, 2, 7, 8, 9, 16):
            values = torch.randint(-(1 << (bits - 1)), 1 << (bits - 1), (5, columns)).to(torch.int8)
            packed = pack(values, bits)
            assert packed.shape == (5, packed_length(columns, bits))
            assert torch.equal(unpack(packed, columns, bits, signed=True), values)
            numbers = (values.to(torch.int16) & ((1 << bits) - 1)).to(torch.uint8)
            assert torch.equal(unpack(pack(numbers, bits), columns, bits, signed=False), numbers)
            compared += 2 * values.numel()
    assert compared == 2 * 8 * 5 * 43
    assert pack(torch.tensor([[1, -2, 3]]), 4).tolist() == [[0xE1, 0x03]]
    with pytest.raises(ValueError, match="behind a row's last value"):
        unpack(torch.tensor([[0x21, 0x43]], dtype=torch.uint8), 3, 4, signed=True)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("data", ["fp16", "bf16"])
def test_a_layer_comes_back_bit_for_bit(scheme: str, data: str, tmp_path: Path) -> None:
    config = SMALL.replace(
        numbers__data=data, rmc__weight_passes=2, rmc__activation_passes=2
    ).with_scheme(scheme)  # fmt: skip
    layers = {
        "a": small_layer(config),
        "a.b": small_layer(config, 1, rank=0),
        "wide": small_layer(config, 2, weight_digits=2, activation_digits=2),
        "classes": small_layer(config, 3, rank=2, int8_rank=2, int4_rank=3),
        "int4": small_layer(config, 4, int4_rank=4),
    }
    save(
        tmp_path / "x.safetensors", Artefact(config, layers, {"recipe": {"rank": 3}}, {"a": {"after": 0.25}})
    )
    found = load(tmp_path / "x.json")
    assert list(found.layers) == list(layers)
    assert found.config == config
    assert found.facts == {"recipe": {"rank": 3}}
    assert found.records == {"a": {"after": 0.25}, "a.b": {}, "wide": {}, "classes": {}, "int4": {}}
    assert sum(check_equal(layers[name], found.layers[name]) for name in layers) > 1000
    x = torch.randn(9, 29).double()
    for name, layer in layers.items():
        assert torch.equal(layer.run(x).output_bits, found.layers[name].run(x).output_bits)


@pytest.mark.parametrize("bits", [2, 3, 5, 8])
def test_codes_of_other_widths_come_back(bits: int) -> None:
    config = preset("tiny").replace(
        numbers__weight_bits=bits, numbers__activation_bits=bits, groups__weight_shift_bits=3,
        lvc__int8_ranks=0, lvc__int4_ranks=0,
    )  # fmt: skip
    layer = small_layer(config)
    assert check_equal(layer, layer_of(layer_tensors(layer), LayerSizes.of(layer), config)) > 100


def test_equal_layers_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        layers = {f"block.{i}": small_layer(SMALL, i, int8_rank=2, int4_rank=1) for i in range(4)}
        save(tmp_path / name, Artefact(SMALL, layers))
    files = [tmp_path / name / "artefact.safetensors" for name in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()
    one, two = (file.with_suffix(".json").read_text() for file in files)
    assert one == two
    assert json.loads(one)["tensors"]["sha256"] == sha256(files[0])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """An artefact of two layers."""
    layers = {"a": small_layer(SMALL, int8_rank=2, int4_rank=1), "b": small_layer(SMALL, 1)}
    return save(tmp_path / "x.safetensors", Artefact(SMALL, layers))[0]


def rewrite(path: Path, change: dict[str, torch.Tensor | None]) -> None:
    """Other tensors (None: gone) under a checksum that is right again."""
    tensors = load_file(path) | {name: t for name, t in change.items() if t is not None}
    for name in [name for name, tensor in change.items() if tensor is None]:
        del tensors[name]
    save_file(tensors, path, metadata={"sevedo.artefact": "1"})
    description = json.loads(path.with_suffix(".json").read_text())
    description["tensors"]["sha256"] = sha256(path)
    path.with_suffix(".json").write_text(json.dumps(description))


HALF, BYTE = torch.float16, torch.uint8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a.u": None}, "tensor a.u is missing"),
        ({"a.extra": torch.zeros(1)}, "tensor a.extra is unknown; no layer of x.json has it"),
        ({"c.weight.codes": torch.zeros(1)}, "tensor c.weight.codes is unknown"),
        ({"a.bias": torch.zeros(7)}, r"a.bias is float32 \[7\]; it must be float16 \[7\]"),
        ({"a.bias": torch.zeros(8, dtype=HALF)}, r"a.bias is float16 \[8\]; it must be float16 \[7\]"),
        ({"a.v": torch.full((3, 29), torch.nan, dtype=HALF)}, "a.v holds 87 NaN or infinite values"),
        ({"b.weight.scales": torch.full((7, 3), torch.inf, dtype=HALF)}, "b.weight.scales holds 21 NaN"),
        ({"a.multiplier": torch.zeros(29, dtype=HALF)}, "a.multiplier holds 0; every value must be above 0"),
        (
            {"b.weight.codes": torch.full((7, 18), 255, dtype=BYTE)},
            "b.weight.codes holds codes behind input 28",
        ),
        (
            {"a.int8.u.codes": torch.full((7, 2), 127, dtype=BYTE)},
            "a.int8.u.codes holds codes 127 to 127; they must be",
        ),
        (
            {"a.int4.u.codes": torch.full((7, 1), 0x11, dtype=BYTE)},
            "a.int4.u.codes: bits behind a row's last value",
        ),
        (
            {"a.int8.u.scales": torch.full((7,), -torch.inf, dtype=HALF)},
            "a.int8.u.scales holds 7 NaN or infinite",
        ),
    ],
)
def test_tensors_that_no_artefact_has(
    saved: Path, change: dict[str, torch.Tensor | None], message: str
) -> None:
    rewrite(saved, {})
    assert len(load(saved).layers) == 2
    rewrite(saved, change)
    with pytest.raises(ArtefactError, match=message) as told:
        load(saved)
    assert "\n" not in str(told.value)
    assert str(saved.parent) in str(told.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("schema",), 2, "schema=2 must be 1"),
        (("layers",), None, "layers is missing or no object"),
        (("layers", "a"), 3, "layers.a must be an object"),
        (
            ("layers", "a", "rank"),
            1 << 30,
            "layers.a.rank=1073741824 must be an integer between 0 and 16777216",
        ),
        (("layers", "a", "rank"), True, "layers.a.rank=True must be an integer"),
        (("layers", "a", "inputs"), 0, "layers.a.inputs=0 must be an integer between 1"),
        (("layers", "a", "inputs"), 30, "a.multiplier is float16|a.v is float16"),
        (("layers", "a", "rank"), 99, "rank"),
        (("configuration", "groups", "fine"), 5, "groups.coarse=12 must be a"),
        (("configuration", "numbers", "weight_bits"), 99, "numbers.weight_bits=99"),
        (("tensors", "sha256"), "0", "has SHA-256 .* says 0"),
        (("tensors", "sha256"), None, "tensors.sha256 is missing"),
    ],
)
def test_descriptions_that_no_artefact_has(
    saved: Path, path: tuple[str, ...], value: object, message: str
) -> None:
    file = saved.with_suffix(".json")
    description = json.loads(file.read_text())
    inner = description
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    file.write_text(json.dumps(description))
    with pytest.raises(ArtefactError, match=message) as told:
        load(saved)
    assert "\n" not in str(told.value)


def test_damaged_files_are_told_in_one_line(saved: Path) -> None:
    content = saved.read_bytes()
    told = 0
    for count in [0, 4, 8, 50, len(content) // 2, len(content) - 1]:
        saved.write_bytes(content[:count])
        with pytest.raises(ArtefactError, match=r"x\.safetensors") as error:
            load(saved)
        told += "\n" not in str(error.value)
    generator = torch.Generator().manual_seed(3)
    for _ in range(200):
        damaged = bytearray(content)
        for place in torch.randint(0, len(content) // 2, (3,), generator=generator).tolist():
            damaged[place] ^= int(torch.randint(1, 256, (1,), generator=generator))
        saved.write_bytes(bytes(damaged))
        with pytest.raises(ArtefactError) as error:
            load(saved)
        told += "\n" not in str(error.value)
    assert told == 206
    saved.unlink()
    with pytest.raises(ArtefactError, match="cannot be read: No such file"):
        load(saved)


def test_what_is_not_a_layer_of_the_configuration_is_not_saved(tmp_path: Path) -> None:
    layer = small_layer(SMALL)
    with pytest.raises(ArtefactError, match="layer a: config must be the artefact's"):
        save(tmp_path / "x", Artefact(preset("core"), {"a": layer}))
    broken = QuantizedLinear(**{**layer.__dict__, "u": layer.u + 1e-9})
    with pytest.raises(ArtefactError, match="layer a: u holds values that are no numbers of fp16"):
        save(tmp_path / "x", Artefact(SMALL, {"a": broken}))
    with pytest.raises(ArtefactError, match=r"artefact\.json: "):
        save(tmp_path / "x", Artefact(SMALL, {"a": layer}, {"recipe": {"rank": float("nan")}}))
    assert not (tmp_path / "x").exists()


def test_names_and_sizes_agree_with_what_is_written(saved: Path) -> None:
    tensors, sizes = load_file(saved), LayerSizes.of(load(saved).layers["a"])
    wanted = expected(sizes, SMALL)
    assert {f"a.{name}" for name in wanted} == {name for name in tensors if name.startswith("a.")}
    assert all(tuple(tensors[f"a.{n}"].shape) == shape for n, (_, shape) in wanted.items())
    assert len(wanted) == 7 + 5 + 5
