"""What is said over a link: whatever is lost or damaged, requests are carried out once and in order."""

from __future__ import annotations

import random
from typing import Any

import pytest
from fake_board import FakeBoard, MemoryPort, Noise
from link_device import Device

from sevedo.gen.config import preset
from sevedo.gen.host.link import (
    BoardResetError,
    BoardTransport,
    LinkError,
    SelfTestError,
    Session,
    SilentError,
)
from sevedo.gen.host.link.frames import FrameReader, decode, encode
from sevedo.gen.host.transport import Range

TINY = preset("tiny")


def session(board: FakeBoard, **options: Any) -> tuple[Session, MemoryPort]:
    port = MemoryPort(board, board.take)
    return Session(port, **options), port


@pytest.fixture
def board() -> FakeBoard:
    return FakeBoard(TINY)


def test_memory_of_any_size_and_place(board: FakeBoard) -> None:
    talk, _ = session(board)
    transport = BoardTransport(talk)
    rng, content = random.Random(0), bytearray(board.processor.memory[: board.size])
    for _ in range(60):
        at, size = rng.randrange(board.size - 3000), rng.choice([0, 1, 2, 3, 4, 5, 255, 256, 257, 2900])
        data = rng.randbytes(size)
        transport.write_memory(at, data)
        content[at : at + size] = data
        assert transport.read_memory(max(at - 2, 0), size + 3) == content[max(at - 2, 0) :][: size + 3]
    assert board.processor.memory[: board.size] == content
    assert talk.resent == talk.damaged == 0


@pytest.mark.parametrize("every", [5000, 700, 150])
def test_noise_changes_nothing(board: FakeBoard, every: float) -> None:
    """On both ways; the numbers of requests wrap several times."""
    talk, port = session(board, tries=60)
    transport = BoardTransport(talk)
    port.there, port.back = Noise(1, every), Noise(2, every)
    rng, content = random.Random(3), bytearray(board.processor.memory[: board.size])
    for _ in range(12):
        at, size = 4 * rng.randrange(8000), 4 * rng.randrange(1, 2000)
        data = rng.randbytes(size)
        transport.write_memory(at, data)
        content[at : at + size] = data
        assert transport.read_memory(at, size) == data
    assert board.processor.memory[: board.size] == content
    assert board.bad > 0
    assert talk.resent > 0


def test_a_write_is_carried_out_once(board: FakeBoard) -> None:
    """Its answer is lost, so it goes again: the register sees it once."""
    talk, port = session(board)
    transport = BoardTransport(talk)
    lost = [3]

    def back(data: bytes) -> bytes:
        lost[0] -= 1
        return b"" if lost[0] >= 0 else data

    port.back = back
    transport.write_register(0x3C, 5)
    assert talk.resent == 3
    assert [each for each in board.processor.log if each[0] == "WATCHDOG"] == [("WATCHDOG", 5)]


def test_a_silent_board_is_an_error_in_time(board: FakeBoard) -> None:
    talk, port = session(board, timeout=0.5, tries=3)
    transport = BoardTransport(talk)
    port.back = lambda data: b""
    began = port.now()
    with pytest.raises(SilentError, match=r"the board is silent: no answer in 3 tries of 0.5 s"):
        transport.read_register(0)
    assert 1.49 < port.now() - began < 1.6
    port.back = bytes
    assert transport.read_register(0) == 0x53564430


def test_a_reset_is_told_and_then_it_works(board: FakeBoard) -> None:
    talk, _ = session(board)
    transport = BoardTransport(talk)
    transport.write_memory(0, b"kept")
    board.reset()
    with pytest.raises(BoardResetError, match="was reset since it was spoken to last"):
        transport.read_memory(0, 400)
    assert transport.read_memory(0, 4) == b"kept"


def test_garbage_before_and_between(board: FakeBoard) -> None:
    """From both sides, frames of somebody else's session included."""
    talk, port = session(board)
    port.back = lambda data: encode(b"\x63\x01data\x00") + random.Random(1).randbytes(99) + b"\x7e" + data
    transport = BoardTransport(talk)
    assert transport.info.clock_hz == 50_000_000
    assert talk.damaged > 0


def test_another_protocol_or_board_is_refused(board: FakeBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    import link_device

    monkeypatch.setattr(link_device, "PROTOCOL", 9)
    with pytest.raises(LinkError, match="the board's protocol is 9; it must be 1"):
        BoardTransport(session(board)[0])
    monkeypatch.undo()
    plain = Device(64)
    plain.load = lambda at: 0  # type: ignore[method-assign]
    taken = bytearray()

    def take(data: bytes) -> bytes:
        taken.extend(data)
        return plain.feed([(byte, False) for byte in data])

    with pytest.raises(LinkError, match="ID=0x0 must be 0x53564230: no SeVeDo board of this version answers"):
        BoardTransport(Session(MemoryPort(plain, take)))


def test_what_cannot_be_done_is_told(board: FakeBoard) -> None:
    transport = BoardTransport(session(board)[0])
    with pytest.raises(LinkError, match=r"refuses a read of 1 words at 0x80000000: nothing is there"):
        transport.session.read(0x8000_0000, 1)
    with pytest.raises(
        LinkError, match=r"image: 65540 bytes from 0x0 must end within the board's memory of 65536"
    ):
        transport.grant(Range(0, 65540), Range(0, 4))
    for state, name in ((0, "NOT_RUN"), (2, "WRONG"), (3, "SILENT")):
        board.state = state
        with pytest.raises(
            SelfTestError, match=f"SELF_TEST={name} must be PASSED: .*0x00000040 .*0x00000007"
        ):
            transport.require_self_test()
    assert transport.read_register(0) == 0x53564430


def test_waiting_ends(board: FakeBoard) -> None:
    talk, port = session(board)
    seen: list[int] = []
    transport = BoardTransport(talk, seen.append)
    began = port.now()
    assert not transport.wait(50_000)
    assert 2 <= port.now() - began < 2.5
    assert seen[-1] == 50_000
    board.processor.values["INTERRUPT"] = 1
    assert transport.wait(1)


@pytest.mark.parametrize("content", [b"a", b"\x7e\x7d\x5e\x5d" * 5, bytes(range(256)), bytes(1000)])
def test_frames_come_back(content: bytes) -> None:
    reader = FrameReader()
    assert list(reader.feed(encode(content) + encode(content))) == [content] * 2
    assert [each for byte in encode(content) for each in FrameReader().feed(bytes([byte]))] == []
    slow = FrameReader()
    assert [each for byte in encode(content) for each in slow.feed(bytes([byte]))] == [content]


def test_ten_thousand_damaged_answers() -> None:
    """None is taken by the host either."""
    rng, count = random.Random(4), 0
    for _ in range(10_000):
        content = rng.randbytes(rng.randint(1, 20))
        inner = bytearray(encode(content)[1:-1])
        match rng.randrange(3):
            case 0:
                inner = inner[: rng.randrange(len(inner))]
            case 1:
                inner[rng.randrange(len(inner))] ^= 1 << rng.randrange(8)
            case _:
                at = rng.randrange(len(inner))
                inner[at:at] = rng.randbytes(rng.randint(1, 3))
        for piece in bytes(inner).split(b"\x7e"):
            if piece == encode(content)[1:-1]:
                continue
            assert decode(piece) is None
            count += 1
    assert count >= 9_900
