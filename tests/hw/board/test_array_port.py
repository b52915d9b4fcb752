"""Words to operand beats and sums back: exact under stalls, and errors that change nothing."""

from __future__ import annotations

import inspect
import random
import sys
from functools import partial
from typing import Any

import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator
from word_master import ask

from sevedo.gen.config import preset
from sevedo.gen.config.link import OPERANDS, STATUS_WINDOW, SUMS_WINDOW, WINDOW_WORDS, ArrayStatus
from sevedo.hw.board.array_port import ArrayPort, words_of

CONFIG = preset("tiny").replace(rmc__lanes=4)
"""Operands of several words."""
PATIENCE = 64


def window(number: int, word: int = 0) -> int:
    return 4 * (WINDOW_WORDS * number + word)


def run(stall: float, beats: int = 12, unit: ArrayPort | None = None) -> int:
    """Beats of every operand and of the sums through a port; how many were right."""
    port = unit or ArrayPort(CONFIG, PATIENCE)
    rng = random.Random(3)
    shapes = {name: getattr(port, name).p.shape() for name in (*OPERANDS, "sums")}
    width = {name: Value.cast(getattr(port, name).p).shape().width for name in shapes}
    extremes = {name: [0, (1 << bits) - 1, 1, 1 << (bits - 1)] for name, bits in width.items()}
    wanted = {
        name: [*extremes[name], *(rng.getrandbits(bits) for _ in range(beats - 4))]
        for name, bits in width.items()
    }
    found: dict[str, list[int]] = {name: [] for name in shapes}

    async def host(context: Any) -> None:
        for beat in range(beats):
            for number, name in enumerate(OPERANDS):
                for word in range(words_of(shapes[name])):
                    data = wanted[name][beat] >> 32 * word & 0xFFFF_FFFF
                    while True:  # a stall may be longer than the patience of the port
                        if not (await ask(context, port.host, window(number, word), data))[1]:
                            break
            value = 0
            for word in range(words_of(shapes["sums"])):
                for _ in range(2):  # reading takes nothing away
                    while (answer := await ask(context, port.host, window(SUMS_WINDOW, word)))[1]:
                        pass
                value |= answer[0] << 32 * word
            found["sums"].append(value)
            assert (await ask(context, port.host, window(SUMS_WINDOW), 0))[1] == 0

    async def taker(context: Any, name: str) -> None:
        beat, mine = getattr(port, name), random.Random(name)
        while len(found[name]) < beats:
            context.set(beat.ready, mine.random() >= stall)
            _, _, valid, ready, data = await context.tick().sample(beat.valid, beat.ready, Value.cast(beat.p))
            if valid and ready:
                found[name].append(data)
        context.set(beat.ready, 0)

    async def giver(context: Any) -> None:
        mine = random.Random(4)
        for value in wanted["sums"]:
            while mine.random() < stall:
                await context.tick()
            context.set(Value.cast(port.sums.p), value)
            context.set(port.sums.valid, 1)
            await context.tick().until(port.sums.ready)
            context.set(port.sums.valid, 0)

    simulator = Simulator(port)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    for name in OPERANDS:
        simulator.add_testbench(partial(taker, name=name), background=True)
    simulator.add_testbench(giver, background=True)
    simulator.run_until(0.05 if unit is None else 0.006)  # a fault may stand still
    assert all(len(each) == beats for each in found.values()) or unit is not None
    return sum(a == b for name in found for a, b in zip(found[name], wanted[name], strict=False))


@pytest.mark.parametrize("stall", [0.0, 0.5, 0.95])
def test_every_beat_both_ways(stall: float) -> None:
    assert run(stall) == 12 * 6


def test_errors_change_nothing() -> None:
    port = ArrayPort(CONFIG, PATIENCE)
    x = OPERANDS.index("x")
    words = words_of(port.x.p.shape())
    assert words > 1

    async def bench(context: Any) -> None:
        async def said(address: int, data: int | None = None) -> tuple[int, int]:
            return await ask(context, port.host, address, data)

        assert await said(window(STATUS_WINDOW)) == (0, 0)
        assert await said(window(STATUS_WINDOW, ArrayStatus.CONFIGURATION)) == (CONFIG.fingerprint, 0)
        for address in (
            window(STATUS_WINDOW, len(ArrayStatus)), window(x, 0), window(x, words), window(7), window(SUMS_WINDOW),
        ):  # fmt: skip
            assert (await said(address))[1] == 1, hex(address)
        for address, data in (
            (window(STATUS_WINDOW), 1), (window(x, words), 1), (window(7), 1), (window(SUMS_WINDOW), 1),
        ):  # fmt: skip
            assert (await said(address, data))[1] == 1, hex(address)
        for word in range(words):
            assert (await said(window(x, word), word + 1))[1] == 0
        held = context.get(Value.cast(port.x.p))
        assert await said(window(STATUS_WINDOW)) == (2 << x, 0)
        # Nobody takes the beat: the next word waits, is refused, and does not touch it.
        assert (await said(window(x, 0), 0xFFFF_FFFF))[1] == 1
        assert context.get(Value.cast(port.x.p)) == held
        context.set(port.x.ready, 1)
        await context.tick()
        context.set(port.x.ready, 0)
        assert await said(window(STATUS_WINDOW)) == (0, 0)
        assert (await said(window(x, 0), 5))[1] == 0

    simulator = Simulator(port)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


FAULTS = {
    "the first word alone": ("word == count - 1", "word == 0"),
    "words in the wrong order": ("part = bits[WORD * place : WORD * (place + 1)]",
                                 "part = bits[WORD * (count - 1 - place) : WORD * (count - place)]"),
    "sums go when they are read": ("self.sums.ready.eq(request.write)", "self.sums.ready.eq(1)"),
    "a beat that is not waited for": ("m.Elif(~beat.valid)", "m.Else()"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_show(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = FAULTS[fault]
    module = sys.modules[ArrayPort.__module__]
    source = inspect.getsource(module)
    assert source.count(old) == 1
    space = dict(vars(module))
    exec(compile(source.replace(old, new), str(module.__file__), "exec"), space)
    for name in ("build", "_write", "_sums"):
        monkeypatch.setattr(ArrayPort, name, vars(space["ArrayPort"])[name])
    if fault == "a beat that is not waited for":
        with pytest.raises(AssertionError):
            test_errors_change_nothing()
    else:
        assert run(0.5, 6, ArrayPort(CONFIG, PATIENCE)) < 6 * 6


def test_a_beat_that_no_window_holds() -> None:
    with pytest.raises(ValueError, match=r"x takes \d+ words; a window has 64"):
        ArrayPort(preset("core").replace(rmc__cols=64, lvc__lanes=1024))
