"""Requests of any length, held to their window and cut into bursts."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config
from sevedo.hw.unit import Unit

from .payloads import beats_of_burst, burst, window


class BurstSplitter(Unit):
    """Cuts requests into bursts, in ascending order, none of which crosses a multiple of the longest burst.

    So every burst but the first and the last of a request has full length, and none crosses 4 KiB. A request that
    leaves the window, or has no words, is taken and gives nothing but `refused`.

    Timing: the first burst is there in the cycle after a request was taken; then one a cycle. A cycle passes between
    the last burst of a request and the taking of the next one. No combinational path from `burst.ready` to
    `request.ready`.
    Numerics: exact; offset and words are compared with the size in more bits than either has.

    Parameters
    ----------
    config : the accelerator: its bus
    word_bits : bits of the number of words of a request

    Members
    -------
    request : In(stream of offset: 32, words: word_bits)
    window : In(window), of the request at hand
    burst : Out(stream of burst)
    refused : Out(1), the request that is being taken leaves its window
    address : Out(address_bits), where the request at hand begins
    halt : In(1), take no request
    clear : In(1), forget the bursts that are left
    """

    def __init__(self, config: Config, word_bits: int):
        self.config = config
        self.word_bits = word_bits
        request = data.StructLayout({"offset": unsigned(32), "words": unsigned(word_bits)})
        super().__init__(
            {
                "request": In(stream.Signature(request)),
                "window": In(window(config)),
                "burst": Out(stream.Signature(burst(config))),
                "refused": Out(1),
                "address": Out(config.bus.address_bits),
                "halt": In(1),
                "clear": In(1),
            }
        )

    @property
    def module_name(self) -> str:
        bus = self.config.bus
        size = f"{bus.data_bytes}x{beats_of_burst(self.config)}"
        return f"burst_splitter_{size}_a{bus.address_bits}_w{self.word_bits}"

    def build(self) -> Module:
        m = Module()
        below = self.config.bus.data_bytes.bit_length() - 1  # bits of an address inside a word
        longest = beats_of_burst(self.config)
        inside = longest.bit_length() - 1  # bits of a word's number inside the longest burst
        request, current = self.request.p, self.burst.p
        first, size = request.offset[below:], self.window.size[below:]
        left = Signal(self.word_bits, reset_less=True)
        place = Signal(self.config.bus.address_bits - below, reset_less=True)
        taken = Signal()
        to_boundary = Signal(range(longest + 1))
        m.d.comb += [
            self.request.ready.eq(~self.burst.valid & ~self.halt),
            taken.eq(self.request.valid & self.request.ready),
            self.refused.eq(taken & ((first + request.words > size) | (request.words == 0))),
            self.address.eq(Cat(Const(0, below), self.window.base[below:] + first)),
            to_boundary.eq(longest - place[:inside]),
            current.address.eq(Cat(Const(0, below), place)),
            current.last.eq(left <= to_boundary),
            current.beats.eq(Mux(current.last, left, to_boundary)),
        ]
        with m.If(taken):
            m.d.sync += [
                self.burst.valid.eq(~self.refused),
                left.eq(request.words),
                place.eq(self.address[below:]),
            ]
        with m.Elif(self.burst.ready):
            m.d.sync += [
                self.burst.valid.eq(self.burst.valid & ~current.last),
                left.eq(left - to_boundary),
                place.eq(Cat(Const(0, inside), place[inside:] + 1)),
            ]
        with m.If(self.clear):
            m.d.sync += self.burst.valid.eq(0)
        return m
