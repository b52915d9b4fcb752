"""Frames in and out of bytes, unit by unit: stalls, latency, room."""

from __future__ import annotations

import random

import pytest
from amaranth.sim import Simulator
from link_device import frame
from simulated import STALLS, Bench

from sevedo.hw.link.frame_receiver import FrameReceiver
from sevedo.hw.link.frame_sender import FrameSender

SPECIAL = [b"\x7e", b"\x7d", b"\x7e\x7d\x5e\x5d", b"\x00", b"\xff" * 9, bytes(range(256))]


def beats(contents: list[bytes]) -> list[dict[str, int]]:
    return [{"data": byte, "last": at == len(each) - 1} for each in contents for at, byte in enumerate(each)]


@pytest.mark.parametrize("stall", STALLS)
def test_sender(stall: tuple[float, float]) -> None:
    rng = random.Random(str(stall))
    contents = SPECIAL + [rng.randbytes(rng.randint(1, 30)) for _ in range(20)]
    # A frame whose check has a flag in it, and one with an escape.
    contents += [next(c for n in range(9999) if mark in frame(c := n.to_bytes(2, "big"))[-7:-1]) for mark in
                 (b"\x7d\x5e", b"\x7d\x5d")]  # fmt: skip
    wanted = b"".join(frame(each) for each in contents)
    bench = Bench(FrameSender(), stall=stall)
    bench.send("i", beats(contents))
    bench.receive("o")
    bench.run(lambda: len(bench.taken["o"]) == len(wanted))
    assert bytes(bench.taken["o"]) == wanted


def test_sender_latency() -> None:
    bench = Bench(FrameSender())
    bench.send("i", beats([b"ab"]))
    bench.receive("o")
    bench.run(lambda: len(bench.taken["o"]) == len(frame(b"ab")))
    assert bench.cycles["o"][0] == FrameSender.LATENCY


class Receiver:
    """A receiver, a byte a cycle or less, its frames taken or not."""

    def __init__(self, depth: int) -> None:
        self.unit = FrameReceiver(depth)
        self.frames: list[bytes] = []
        self.counts = dict.fromkeys(("good", "bad", "full"), 0)
        self.first: int | None = None

    def run(self, data: bytes, ready: float = 1.0, gap: float = 0.0, drain: int = 100) -> None:
        unit, rng = self.unit, random.Random(f"{ready} {gap}")
        piece = bytearray()

        async def bench(context) -> None:
            place = 0
            for cycle in range(10_000):
                if place == len(data) and drain and cycle > len(data) * (1 + 10 * gap) + drain:
                    return
                valid = place < len(data) and rng.random() >= gap
                context.set(unit.valid, valid)
                context.set(unit.data, data[place] if valid else rng.getrandbits(8))
                place += valid
                take = rng.random() < ready
                context.set(unit.o.ready, take)
                for name in self.counts:
                    self.counts[name] += context.get(getattr(unit, name))
                if context.get(unit.o.valid):
                    if self.first is None:
                        self.first = cycle
                    if take:
                        piece.append(context.get(unit.o.p.data))
                        if context.get(unit.o.p.last):
                            self.frames.append(bytes(piece))
                            piece.clear()
                await context.tick()

        simulator = Simulator(unit)
        simulator.add_clock(1e-6)
        simulator.add_testbench(bench)
        simulator.run()


@pytest.mark.parametrize("gap", [0.0, 0.25, 0.75])
@pytest.mark.parametrize("ready", [1.0, 0.75, 0.25])
def test_receiver(ready: float, gap: float) -> None:
    rng = random.Random(3)
    contents = SPECIAL[:5] + [rng.randbytes(rng.randint(1, 20)) for _ in range(15)]
    found = Receiver(1024)
    found.run(b"".join(frame(each) for each in contents), ready, gap, drain=1500)
    assert found.frames == contents
    assert found.counts == {"good": len(contents), "bad": 0, "full": 0}


def test_receiver_latency() -> None:
    found = Receiver(16)
    data = frame(b"z")
    found.run(data)
    assert found.first == len(data) - 1 + FrameReceiver.LATENCY


def test_shared_and_doubled_flags() -> None:
    found = Receiver(64)
    found.run(frame(b"a")[:-1] + frame(b"b") + b"\x7e\x7e" + frame(b"c"))
    assert found.frames == [b"a", b"b", b"c"]
    assert found.counts["bad"] == 0


def test_what_has_no_room_is_dropped_whole() -> None:
    """Frames that are not taken fill the memory; those after them are dropped; when it is free again all is well."""
    contents = [bytes([each]) * 6 for each in range(10)]
    data = b"".join(frame(each) for each in contents)
    found = Receiver(16)
    found.run(data, ready=0.0, drain=1)
    assert (found.counts["good"], found.counts["full"]) == (2, 8)
    assert found.counts["bad"] == 0
    longest = Receiver(16)
    longest.run(frame(bytes(15)) + frame(bytes(16)) + frame(bytes(300)) + frame(b"short"))
    assert longest.frames == [bytes(15), b"short"]
    assert longest.counts == {"good": 2, "bad": 0, "full": 2}


@pytest.mark.parametrize("depth", [0, 8, 24])
def test_bad_depths_are_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=f"depth={depth} must be a power of two of at least 16"):
        FrameReceiver(depth)
