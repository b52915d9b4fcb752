"""Memories taken out of a module: the design says the same, and the module is what the simulation runs."""

from __future__ import annotations

import numpy as np
import pytest

from sevedo.gen.power.outline import MemoryMacro, _enables, outline
from sevedo.gen.verilog.emitter import emit, verilog
from sevedo.gen.verilog.manifest import manifest
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.stream.queue import TileQueue
from sevedo.sim.player import Player

QUEUE = TileQueue(2, 4, 2, 1, 8, 2)  # words of 32 bits, four of them


def test_a_large_memory_becomes_a_module_and_works_as_before() -> None:
    emitted = outline(emit(QUEUE), least_bits=128)
    memory, queue = emitted
    assert isinstance(memory.unit, MemoryMacro)
    unit = memory.unit
    assert (unit.width, unit.depth, unit.synchronous, unit.enables) == (32, 4, True, 1)
    assert queue.children == ((memory.name, 1),)
    text = verilog(emitted)
    assert text.count("reg [31:0] storage [3:0]") == 1
    assert f"{memory.name} storage_memory (" in text
    words = np.random.default_rng(5).integers(0, 1 << 32, (16, 1), dtype=np.uint64).astype(np.uint32)
    player = Player.from_manifest(text, manifest(emitted, text))
    for stall in ((0.0, 0.0), (0.25, 0.75)):
        played = player.run({"i": words}, {"o": 32}, stall=stall)
        given = words.view(np.uint16).reshape(-1)
        assert np.array_equal(played.outputs["o"][:, 0], given)


def test_small_memories_stay() -> None:
    emitted = emit(QUEUE)
    assert outline(emitted, least_bits=129) == emitted
    buffered = emit(StreamBuffer(8))
    assert outline(buffered) == buffered


def test_an_asynchronous_port_is_known() -> None:
    memory = outline(emit(StreamBuffer(8)), least_bits=1)[0].unit
    assert isinstance(memory, MemoryMacro)
    assert not memory.synchronous


def test_bits_that_are_written_together_share_an_enable() -> None:
    together = "{ \\en [1] \\en [1] \\en [0] \\en [0] }"
    assert _enables(together, 4) == ("{ \\en [1] \\en [0] }", [0, 0, 1, 1])
    assert _enables("{ \\en [0] \\en [0] }", 2) == ("\\en [0]", [0, 0])
    assert _enables("\\en [1:0]", 2) == ("\\en [1:0]", [0, 1])  # as it is
    uneven = "{ \\en [1] \\en [0] \\en [0] }"
    assert _enables(uneven, 3) == (uneven, [0, 1, 2])


def test_a_memory_has_no_gates() -> None:
    with pytest.raises(NotImplementedError):
        MemoryMacro(8, 4, True, 1, "x").build()
