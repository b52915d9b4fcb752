"""C++ that ties the DRAM and the host's registers to the Verilator model of one design, from the list of its ports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from .glue import HEAD, TAIL
from .toolchain import digest

_HERE = Path(__file__).parent
_SOURCES = ("ports.h", "random.h", "axi.h", "dram.h", "registers.h", "dram.cpp")

_REQUEST = ("id", "addr", "len", "size", "burst", "lock", "cache", "prot", "qos")
_FROM_MASTER = (
    "m_axi_arvalid", "m_axi_rready", "m_axi_awvalid", "m_axi_wvalid", "m_axi_bready",
    "s_axi_awready", "s_axi_wready", "s_axi_bresp", "s_axi_bvalid",
    "s_axi_arready", "s_axi_rdata", "s_axi_rresp", "s_axi_rvalid", "irq",
)  # fmt: skip
_TO_MASTER = (
    "m_axi_arready", "m_axi_rvalid", "m_axi_awready", "m_axi_wready", "m_axi_bvalid",
    "s_axi_awaddr", "s_axi_awvalid", "s_axi_wdata", "s_axi_wstrb", "s_axi_wvalid", "s_axi_bready",
    "s_axi_araddr", "s_axi_arvalid", "s_axi_rready",
)  # fmt: skip


class Ports(NamedTuple):
    """What the DRAM must know of a design.

    Members
    -------
    widths : of every port, by name; those that a design lacks are idle
    clock, reset : names of those ports
    """

    widths: Mapping[str, int]
    clock: str = "clk"
    reset: str = "rst"

    @property
    def data_bytes(self) -> int:
        """Bytes of the data bus."""
        return max(self.widths.get("m_axi_rdata", 0), self.widths.get("m_axi_wdata", 0), 32) // 8


def glue(ports: Ports) -> str:
    """The C++ source of the whole program but for the model."""
    sources = digest(*((_HERE / name).read_text(encoding="utf-8") for name in _SOURCES))
    lines = [_output(ports, name, f"top->{name}") for name in _FROM_MASTER]
    lines += [_input(ports, name) for name in _TO_MASTER]
    lines += [_request(ports, "read_request", "ar"), _request(ports, "write_request", "aw")]
    lines += [
        "    static void write_beat(uint32_t* data, uint32_t* strobe, bool& last) {",
        f"        {_get(ports, 'm_axi_wdata', 'data')} {_get(ports, 'm_axi_wstrb', 'strobe')}",
        f"        last = {'top->m_axi_wlast' if 'm_axi_wlast' in ports.widths else 'false'};",
        "    }",
        "    static void read_beat(const uint32_t* data, uint64_t id, unsigned response, bool last) {",
        f"        {_put(ports, 'm_axi_rdata', 'data')} {_set(ports, 'm_axi_rid', 'id')}",
        f"        {_set(ports, 'm_axi_rresp', 'response')} {_set(ports, 'm_axi_rlast', 'last')}",
        "    }",
        "    static void response(uint64_t id, unsigned response) {",
        f"        {_set(ports, 'm_axi_bid', 'id')} {_set(ports, 'm_axi_bresp', 'response')}",
        "    }",
        f"    static void activity(uint32_t* words) {{ {_get(ports, 'activity', 'words')} }}",
        f"    static void clock(bool level) {{ top->{ports.clock} = level; }}",
        f"    static void reset(bool level) {{ top->{ports.reset} = level; }}",
    ]
    return (
        f"// Sources: {sources}\n"
        + HEAD.replace("sevedo.sim.glue", "sevedo.sim.dram_glue").replace("player.h", "ports.h")
        + '#include "axi.h"\n\n'
        + f"static constexpr unsigned BYTES = {ports.data_bytes};\n\nstruct Port {{\n"
        + "\n".join(lines)
        + "\n};\n"
        + TAIL
        + '\n#include "dram.cpp"\n'
    )


def _output(ports: Ports, name: str, value: str) -> str:
    value = value if name in ports.widths else "0"
    return f"    static uint64_t {name}() {{ return {value}; }}"


def _input(ports: Ports, name: str) -> str:
    return f"    static void {name}(uint64_t value) {{ {_set(ports, name, 'value')} }}"


def _set(ports: Ports, name: str, value: str) -> str:
    if name not in ports.widths:
        return f"(void){value};"
    width = ports.widths[name]
    kept = value if width >= 64 else f"uint64_t({value}) & {(1 << width) - 1:#x}u"
    return f"top->{name} = {kept};"


def _get(ports: Ports, name: str, words: str) -> str:
    width = ports.widths.get(name, 0)
    return f"get<0, {width}>(top->{name}, {words});" if width else f"(void){words};"


def _put(ports: Ports, name: str, words: str) -> str:
    width = ports.widths.get(name, 0)
    return f"put<0, {width}>(top->{name}, {words});" if width else f"(void){words};"


def _request(ports: Ports, function: str, channel: str) -> str:
    absent = {"burst": "1", "size": str(ports.data_bytes.bit_length() - 1)}
    values = [
        f"top->{port}" if (port := f"m_axi_{channel}{field}") in ports.widths else absent.get(field, "0")
        for field in _REQUEST
    ]
    return f"    static Request {function}() {{ return {{{', '.join(values)}}}; }}"
