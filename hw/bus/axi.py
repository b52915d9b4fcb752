"""Ports of the buses, with names and widths of the standards (ARM IHI 0022: AXI4, AXI4-Lite), seen by the master.

A member ``m_axi`` of one of these signatures becomes ports ``m_axi_araddr``, ``m_axi_arvalid``, ...: what tools and
simulators recognise.
"""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config

ID_BITS = 1
"""All transfers have ID 0: answers come in order."""
INCREMENT = 0b01
"""Burst type INCR."""
BUFFERABLE = 0b0011
"""Memory type: normal, not cacheable, bufferable."""
OKAY = 0b00
SLAVE_ERROR = 0b10


def axi4_read(config: Config) -> wiring.Signature:
    """The channels AR and R."""
    bits = 8 * config.bus.data_bytes
    return wiring.Signature(
        _address("ar", config)
        | {
            "rid": In(ID_BITS),
            "rdata": In(bits),
            "rresp": In(2),
            "rlast": In(1),
            "rvalid": In(1),
            "rready": Out(1),
        }
    )


def axi4_write(config: Config) -> wiring.Signature:
    """The channels AW, W and B."""
    size = config.bus.data_bytes
    return wiring.Signature(
        _address("aw", config)
        | {
            "wdata": Out(8 * size),
            "wstrb": Out(size),
            "wlast": Out(1),
            "wvalid": Out(1),
            "wready": In(1),
            "bid": In(ID_BITS),
            "bresp": In(2),
            "bvalid": In(1),
            "bready": Out(1),
        }
    )


def axi4(config: Config) -> wiring.Signature:
    """All five channels."""
    return wiring.Signature({**axi4_write(config).members, **axi4_read(config).members})


def axi4_lite(address_bits: int) -> wiring.Signature:
    """The channels of AXI4-Lite with 32 bits of data."""
    return wiring.Signature(
        {
            "awaddr": Out(address_bits), "awprot": Out(3), "awvalid": Out(1), "awready": In(1),
            "wdata": Out(32), "wstrb": Out(4), "wvalid": Out(1), "wready": In(1),
            "bresp": In(2), "bvalid": In(1), "bready": Out(1),
            "araddr": Out(address_bits), "arprot": Out(3), "arvalid": Out(1), "arready": In(1),
            "rdata": In(32), "rresp": In(2), "rvalid": In(1), "rready": Out(1),
        }
    )  # fmt: skip


def constants(m: Module, port: wiring.PureInterface, channel: str, config: Config) -> None:
    """Drive what is the same in every burst on address channel `channel` (``ar`` or ``aw``)."""
    fixed = {
        "id": 0, "size": config.bus.data_bytes.bit_length() - 1, "burst": INCREMENT, "lock": 0,
        "cache": BUFFERABLE, "prot": 0, "qos": 0,
    }  # fmt: skip
    m.d.comb += [getattr(port, channel + name).eq(value) for name, value in fixed.items()]


def attach(m: Module, port: wiring.PureInterface, part: wiring.PureInterface) -> None:
    """Join some channels, the member `part` of a unit inside, to `port` of the unit around it, which has more."""
    for name, member in part.signature.members.items():
        inside, outside = getattr(part, name), getattr(port, name)
        m.d.comb += outside.eq(inside) if member.flow == Out else inside.eq(outside)


def _address(channel: str, config: Config) -> dict[str, wiring.Member]:
    widths = {
        "id": ID_BITS, "addr": config.bus.address_bits, "len": 8, "size": 3, "burst": 2, "lock": 1,
        "cache": 4, "prot": 3, "qos": 4, "valid": 1,
    }  # fmt: skip
    return {channel + name: Out(width) for name, width in widths.items()} | {channel + "ready": In(1)}
