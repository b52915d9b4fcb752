"""Packed words against arithmetic on Python integers, and back."""

from __future__ import annotations

import numpy as np
import pytest

from sevedo.gen.verilog.manifest import StreamField, StreamPort
from sevedo.sim.packing import leaves, pack, unpack


def stream(**layouts) -> StreamPort:
    fields, offset = [], 0
    for name, layout in layouts.items():
        width = bits(layout)
        fields.append(StreamField(name, f"x_{name}", width, offset, layout))
        offset += width
    return StreamPort("x", "in", offset, tuple(fields))


def bits(layout) -> int:
    if isinstance(layout, str):
        return int(layout[layout.index("(") + 1 : -1])
    if "array" in layout:
        return layout["array"] * bits(layout["of"])
    return sum(bits(inner) for inner in layout["fields"].values())


def draw(rng: np.random.Generator, leaf, beats: int) -> np.ndarray:
    kind = np.int64 if leaf.signed or leaf.width < 64 else np.uint64
    values = rng.integers(leaf.low, leaf.high, (beats, *leaf.shape), kind, endpoint=True)
    values.reshape(-1)[:2] = leaf.low, leaf.high
    return values


@pytest.mark.parametrize("seed", range(25))
def test_round_trip_and_bits_of_random_layouts(seed):
    rng = np.random.default_rng(seed)

    def scalar() -> str:
        return f"{'un' if rng.integers(2) else ''}signed({rng.integers(1, 65)})"

    def layout(depth: int):
        kind = rng.integers(3) if depth else 0
        if kind == 1:
            return {"array": int(rng.integers(1, 7)), "of": layout(depth - 1)}
        if kind == 2:
            return {"fields": {name: layout(depth - 1) for name in "pq"}}
        return scalar()

    port = stream(**{name: layout(2) for name in "abc"})
    beats = 40
    values = {leaf.name: draw(rng, leaf, beats) for leaf in leaves(port)}
    words = pack(port, values)
    assert words.shape == (beats, port.words)
    back = unpack(port, words)
    assert back.keys() == values.keys()
    for name, array in values.items():
        assert np.array_equal(back[name], array), name
    for beat in range(beats):
        expected = 0
        for leaf in leaves(port):
            for offset, value in zip(leaf.offsets, values[leaf.name][beat].reshape(-1).tolist(), strict=True):
                expected |= (value & ((1 << leaf.width) - 1)) << offset
        assert int.from_bytes(words[beat].tobytes(), "little") == expected


@pytest.mark.parametrize("width", range(1, 65))
@pytest.mark.parametrize("signed", [False, True])
def test_every_width_at_odd_offsets(width, signed):
    port = stream(pad="unsigned(5)", x={"array": 7, "of": f"{'' if signed else 'un'}signed({width})"})
    rng = np.random.default_rng(width)
    values = {leaf.name: draw(rng, leaf, 9) for leaf in leaves(port)}
    back = unpack(port, pack(port, values))
    assert all(np.array_equal(back[name], values[name]) for name in values)
    assert back["x"].min() == leaves(port)[1].low
    assert back["x"].max() == leaves(port)[1].high


def test_many_beats_cross_chunks():
    port = stream(codes={"array": 33, "of": "signed(5)"})
    values = np.random.default_rng(0).integers(-16, 16, (20_000, 33))
    assert np.array_equal(unpack(port, pack(port, {"codes": values}))["codes"], values)


def test_no_beats():
    port = stream(codes={"array": 3, "of": "signed(4)"})
    words = pack(port, {"codes": np.zeros((0, 3), int)})
    assert words.shape == (0, 1)
    assert unpack(port, words)["codes"].shape == (0, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a": np.array([8]), "b": np.array([0])}, "a=8 must be between -8 and 7"),
        ({"a": np.array([-9]), "b": np.array([0])}, "a=-9 must be between -8 and 7"),
        ({"a": np.array([0]), "b": np.array([-1])}, "b=-1 must be between 0 and 3"),
        ({"a": np.array([0.5]), "b": np.array([0])}, "type=float64 must be integer"),
        ({"a": np.array([[0]]), "b": np.array([0])}, r"shape=\[1, 1\] must be \[beats\]"),
        ({"a": np.array([0, 1]), "b": np.array([0])}, r"beats=\[1, 2\] must be the same"),
        ({"a": np.array([0])}, "must be given for exactly"),
    ],
)
def test_what_does_not_fit_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        pack(stream(a="signed(4)", b="unsigned(2)"), values)
