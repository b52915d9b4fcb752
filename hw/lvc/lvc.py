"""The low-rank vector core: both small products of the low-rank path, and the sum of everything."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, memory, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import Config
from sevedo.hw.core import payloads
from sevedo.hw.stream.tile import TileBuffer
from sevedo.hw.unit import Unit

from .lane import VectorLane
from .sequencer import LvcSequencer, Step


class LowRankVectorCore(Unit):
    """z = V x', L = U z, and the outputs DATA((residual + L) + bias): SIMD lanes of `rows` times `lvc_tokens`.

    Timing: a step a cycle while its operands are there. Each of `cols / lvc_tokens` slots holds the running sums of
    its tokens; a pass over the slots is one index of the sums, and the vector operand stays for the pass.
    The outputs of a tile are offered `latency` cycles after its last step.
    Numerics: docs/numerics.md, low-rank path and sum.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    command : In(stream of payloads.command), one for a layer
    token : In(stream of payloads.numbers, lvc_tokens), x', see payloads for the order
    factor : In(stream of payloads.numbers, rows), V and U
    bias : In(stream of payloads.numbers, rows)
    sums : In(stream of payloads.residual_sums)
    y : Out(stream of payloads.numbers, rows), one beat for a token
    """

    latency = VectorLane.latency + 1

    def __init__(self, config: Config) -> None:
        self.config = config
        rows = config.rmc.rows
        super().__init__(
            {
                "command": In(stream.Signature(payloads.command(config))),
                "token": In(stream.Signature(payloads.numbers(config, config.lvc_tokens))),
                "factor": In(stream.Signature(payloads.numbers(config, rows))),
                "bias": In(stream.Signature(payloads.numbers(config, rows))),
                "sums": In(stream.Signature(payloads.residual_sums(config))),
                "y": Out(stream.Signature(payloads.numbers(config, rows))),
            }
        )

    @property
    def module_name(self) -> str:
        return "low_rank_vector_core"

    def build(self) -> Module:
        m = Module()
        config = self.config
        number = config.numbers.data_format
        rows, tokens = config.rmc.rows, config.lvc_tokens
        slots = config.rmc.cols // tokens

        m.submodules.sequencer = seq = LvcSequencer(rows, slots, payloads.command(config))
        m.submodules.outputs = outputs = TileBuffer(rows, config.rmc.cols, tokens, 1, number.width)
        connect(m, flipped(self.command), seq.command)

        project = seq.step == Step.PROJECT
        expand = seq.step == Step.EXPAND
        residual = seq.step == Step.RESIDUAL
        bias = seq.step == Step.BIAS
        # The slots of one tile's last pass share one reservation.
        has_place = outputs.room | (seq.slot != 0)
        m.d.comb += [
            seq.can[Step.PROJECT.value].eq(self.token.valid & self.factor.valid),
            seq.can[Step.EXPAND.value].eq(self.factor.valid),
            seq.can[Step.RESIDUAL.value].eq(self.sums.valid),
            seq.can[Step.BIAS.value].eq(self.bias.valid & has_place),
            self.token.ready.eq(seq.go & project),
            self.factor.ready.eq(seq.go & (project | expand) & seq.last_slot),
            self.sums.ready.eq(seq.go & residual),
            self.bias.ready.eq(seq.go & bias & seq.last_slot),
            outputs.reserve.eq(seq.go & bias),
        ]

        # z, one word for each block of ranks and slot; an EXPAND step picks one rank of its word.
        blocks = -(-config.lvc.max_rank // rows)
        column = data.ArrayLayout(unsigned(number.width), rows)
        words = data.ArrayLayout(column, tokens)
        m.submodules.z = z = memory.Memory(shape=words, depth=blocks * slots, init=[])
        z_read = z.read_port(domain="comb")
        z_write = z.write_port()
        address = Signal(range(max(blocks * slots, 2)))
        m.d.comb += [address.eq(seq.block * slots + seq.slot), z_read.addr.eq(address)]

        # What the results of the lanes are, alongside the lanes.
        tag = Cat(seq.go & seq.last, seq.go & bias)
        tags = [tag]
        addresses: list[Value] = [address]
        for stage in range(VectorLane.latency):
            tags.append(Signal(2, name=f"tag_{stage}"))
            addresses.append(Signal.like(address, name=f"address_{stage}", reset_less=True))
            m.d.sync += [tags[-1].eq(tags[-2]), addresses[-1].eq(addresses[-2])]
        m.d.comb += [
            z_write.addr.eq(addresses[-1]),
            z_write.en.eq(tags[-1][0]),
            outputs.write.eq(tags[-1][1]),
            seq.idle.eq(~Cat(tags[1:]).any()),
        ]

        one = number.one
        for token in range(tokens):
            a = Signal(number.width, name=f"a_{token}")
            with m.Switch(seq.step):
                with m.Case(Step.PROJECT):
                    m.d.comb += a.eq(self.token.p[token])
                with m.Case(Step.EXPAND):
                    m.d.comb += a.eq(z_read.data[token][seq.element])
                with m.Default():
                    m.d.comb += a.eq(one)
            for row in range(rows):
                m.submodules[f"lane_{row}_{token}"] = lane = VectorLane(number, slots)
                m.d.comb += [
                    lane.a.eq(a),
                    lane.b.eq(Mux(bias, self.bias.p[row], self.factor.p[row])),
                    lane.residual.eq(self.sums.p[token][row]),
                    lane.use_residual.eq(residual),
                    lane.valid.eq(seq.go),
                    lane.first.eq(seq.first),
                    z_write.data[token][row].eq(lane.result),
                    outputs.block[token][row].eq(lane.result),
                ]
        m.d.comb += [
            self.y.valid.eq(outputs.tile.valid),
            self.y.p.eq(outputs.tile.p[0]),
            outputs.tile.ready.eq(self.y.ready),
        ]
        return m
