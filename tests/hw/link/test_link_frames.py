"""The link against any bytes: what is damaged is never taken, what is whole always is; answers are exact."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from link_device import Device, frame, request
from link_unit import SIZE, LinkUnit

from sevedo.gen.config.link import MAX_WORDS, Operation, Status
from sevedo.gen.host.link.frames import FrameReader
from sevedo.gen.verilog import emitter
from sevedo.gen.verilog.manifest import manifest
from sevedo.hw.link.frame_receiver import FrameReceiver
from sevedo.sim.player import Player

DAMAGED = 10_000
Bytes = list[tuple[int, bool]]


@pytest.fixture(scope="module")
def player() -> Player:
    return Player.of(LinkUnit())


def requests(rng: random.Random, count: int) -> list[bytes]:
    """Requests as a host makes them, and some that none should."""
    found, number = [request(200, Operation.READ, 0, 1), request(5, Operation.HELLO)], 6
    # Every word that is read was written before.
    for at in range(0, SIZE, 4 * MAX_WORDS):
        found.append(request(number, Operation.WRITE, at, MAX_WORDS, rng.randbytes(4 * MAX_WORDS)))
        number += 1
    for _ in range(count):
        words = rng.choice([0, 1, 1, 2, 5])
        address = 4 * rng.randrange(SIZE // 4 - 4)
        kind = rng.random()
        if kind < 0.45:
            found.append(request(number, Operation.WRITE, address, words, rng.randbytes(4 * words)))
        elif kind < 0.8:
            found.append(request(number, Operation.READ, address, words))
        elif kind < 0.84:
            found.append(request(number, Operation.READ, SIZE - 4, 3))
        elif kind < 0.88:
            found.append(request(number, Operation.WRITE, address, 2, rng.randbytes(rng.choice([3, 4, 9]))))
        elif kind < 0.9:
            found.append(request(number, rng.choice([3, 77, 255]), address, words))
        elif kind < 0.92:
            found.append(request(number, Operation.READ, address, MAX_WORDS + 1))
        elif kind < 0.96:
            found.append(found[-1])  # it comes again
            continue
        else:
            found.append(request(number + rng.randint(1, 100), Operation.WRITE, address, 1, b"none"))
            continue
        number += 1
    return found


def damage(rng: random.Random, whole: bytes, other: bytes) -> Bytes:
    """A frame that is none any more: cut, bits flipped, bytes put in, spliced, or a byte known to be wrong."""
    inner = whole[1:-1]
    while True:
        errors: set[int] = set()
        match rng.randrange(7):
            case 0:
                inner_now = inner[: rng.randrange(1, len(inner))]
            case 1:
                flipped = bytearray(inner)
                for _ in range(rng.choice([1, 1, 2, 3, 8])):
                    flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
                inner_now = bytes(flipped)
            case 2:
                at = rng.randrange(len(inner) + 1)
                inner_now = inner[:at] + rng.randbytes(rng.choice([1, 1, 2, 9])) + inner[at:]
            case 3:
                inner_now = (
                    inner[: rng.randrange(1, len(inner))] + other[rng.randrange(1, len(other) - 1) : -1]
                )
            case 4:
                at = rng.randrange(len(inner))
                inner_now = inner if rng.random() < 0.5 else inner[:at] + rng.randbytes(1) + inner[at:]
                errors = {at}
            case 5:
                inner_now = inner + b"\x7d"  # an abort, as RFC 1662 calls it
            case _:
                inner_now = rng.randbytes(rng.randint(1, 40))
        found = [(0x7E, False), *((byte, at in errors) for at, byte in enumerate(inner_now)), (0x7E, False)]
        if errors or not list(FrameReader().feed(bytes(byte for byte, _ in found))):
            return found


def sent(rng: random.Random, count: int, damaged: int) -> Bytes:
    """Whole frames with damaged ones between them."""
    whole = [frame(each) for each in requests(rng, count)]
    found: Bytes = []
    for index, each in enumerate(whole):
        for _ in range(damaged * (index + 1) // len(whole) - damaged * index // len(whole)):
            found += damage(rng, rng.choice(whole[-count:]), rng.choice(whole[-count:]))
        found += [(byte, False) for byte in each]
    return found


def play(player: Player, data: Bytes, stall: tuple[float, float] = (0.0, 0.0), seed: int = 0) -> Device:
    """Send bytes; every byte of every answer is compared."""
    device = Device(SIZE)
    wanted = device.feed(data)
    words = np.array([byte | error << 8 for byte, error in data], np.uint32).reshape(-1, 1)
    found = player.run({"i": words}, {"o": len(wanted)}, stall=stall, seed=seed)
    assert bytes(found.outputs["o"][:, 0].astype(np.uint8)) == wanted
    assert (found.status["good"], found.status["bad"]) == (device.good, device.bad)
    assert found.status["full"] == 0
    return device


def test_ten_thousand_damaged_frames(player: Player) -> None:
    """None is taken, none stops the link: every whole frame among them is answered as if they were not there."""
    device = play(player, sent(random.Random(1), 2000, DAMAGED))
    # Some damage makes two pieces of a frame, and a cut one may lose all that makes it one.
    assert device.bad >= DAMAGED
    assert device.good == 2000 + 2 + SIZE // (4 * MAX_WORDS)
    assert len(set(device.memory.values())) > 500


@pytest.mark.parametrize("stall", [(i, o) for i in (0.0, 0.25, 0.75) for o in (0.0, 0.25, 0.75)])
def test_answers_are_exact_under_stalls(player: Player, stall: tuple[float, float]) -> None:
    device = play(player, sent(random.Random(f"{stall}"), 150, 100), stall, seed=3)
    assert device.good > 150


def test_every_status_is_met() -> None:
    """The requests of the tests above are not all alike."""
    device = Device(SIZE)
    found: Counter[Any] = Counter()
    for each in requests(random.Random(1), 2000):
        answer = list(FrameReader().feed(device.feed([(byte, False) for byte in frame(each)])))
        found.update(Status(each[-1]) for each in answer)
    assert set(found) == set(Status)


def test_extremes(player: Player) -> None:
    """Only flags, only escapes, long garbage, all bytes, frames without a header; then the link still works."""
    garbage: Bytes = [(0x7E, False)] * 300 + [(0x7D, False)] * 300 + [(0x7E, False)]
    garbage += [(byte, False) for byte in random.Random(2).randbytes(5000)] + [(0x7E, False)]
    garbage += [(0xFF, True)] * 20 + [(0x7E, True), (0x7D, False), (0x7E, False)]
    every = bytes(range(256))
    end = [b"0123456"[: 1 + size] for size in range(4)]
    end += [request(1, 0), request(2, 2, 0, 64, every), request(3, 1, 0, 64), request(3, 1, 0, 64)]
    device = play(player, garbage + [(byte, False) for each in end for byte in frame(each)])
    assert device.good == 8
    assert device.memory[252] == 0xFFFEFDFC


FAULTS = {
    "the CRC is not looked at": (" & crc.match_detected", " & Const(1)"),
    "an escape before the flag counts for nothing": (" & ~escaped & ~wrong", " & ~wrong"),
    "a byte that is known to be wrong is let through": (
        "with m.If(self.valid & self.error):",
        "with m.If(0):",
    ),
    "what a damaged frame left stays": ("m.d.sync += at.eq(kept)", "m.d.sync += kept.eq(kept)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_turn_it_red(fault: str) -> None:
    with pytest.raises(AssertionError):
        play(_broken(FrameReceiver, *FAULTS[fault]), sent(random.Random(4), 100, 300))


def _broken(unit: Any, right: str, wrong: str) -> Player:
    """The link with another text in the source of one of its units."""
    import inspect
    import textwrap

    source = textwrap.dedent(inspect.getsource(unit.build))
    assert source.count(right) == 1
    kept = unit.build
    scope = dict(inspect.getmodule(unit).__dict__)
    exec(source.replace(right, wrong), scope)  # our own source
    unit.build = scope["build"]
    try:
        modules = emitter.emit(LinkUnit())
        text = emitter.verilog(modules)
    finally:
        unit.build = kept
    return Player.from_manifest(text, manifest(modules, text))
