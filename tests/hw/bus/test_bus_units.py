"""What all bus units share: clean Verilog, ports with the names of the standard, parameters refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import Out
from bus_configs import config_of

from sevedo.gen.verilog.emitter import emit, flatten_ports, verilog
from sevedo.gen.verilog.lint import lint
from sevedo.hw.bus.axi import attach, axi4
from sevedo.hw.bus.landing import LandingBuffer
from sevedo.hw.bus.reader import AxiReader
from sevedo.hw.bus.registers import Registers
from sevedo.hw.bus.writer import AxiWriter
from sevedo.hw.unit import Unit

CLIENTS = (("fetch", 2), ("load", 4), ("stream", 3))
AXI4 = {
    "ar": "id addr len size burst lock cache prot qos valid ready", "r": "id data resp last valid ready",
    "aw": "id addr len size burst lock cache prot qos valid ready", "w": "data strb last valid ready",
    "b": "id resp valid ready",
}  # fmt: skip


class Both(Unit):
    """Reader and writer behind one port, as the processor has them."""

    def __init__(self) -> None:
        super().__init__({"m_axi": Out(axi4(config_of(4)))})

    @property
    def module_name(self) -> str:
        return "both"

    def build(self) -> Module:
        m = Module()
        for unit in (AxiReader(config_of(4), CLIENTS), AxiWriter(config_of(4))):
            m.submodules[unit.module_name] = unit
            attach(m, self.m_axi, unit.axi)
        return m


@pytest.mark.parametrize("data_bytes", [4, 8, 128])
@pytest.mark.parametrize("kind", ["reader", "writer", "registers"])
def test_lint_is_clean(tmp_path: Path, kind: str, data_bytes: int) -> None:
    config = config_of(data_bytes)
    units = {"reader": AxiReader(config, CLIENTS), "writer": AxiWriter(config), "registers": Registers()}
    unit = units[kind]
    file = tmp_path / "unit.v"
    file.write_text(verilog(emit(unit)))
    assert lint(file, unit.module_name) == []


def test_one_port_has_all_channels_with_the_names_of_the_standard() -> None:
    names = [port.name for port in flatten_ports(Both())]
    want = [f"m_axi_{channel}{name}" for channel, parts in AXI4.items() for name in parts.split()]
    assert sorted(names) == sorted(want)
    text = verilog(emit(Both()))
    assert "input  wire m_axi_arready" in text
    assert "output wire m_axi_rready" in text


@pytest.mark.parametrize(
    ("clients", "message"),
    [
        ((), "clients=0 must be between 1 and 4"),
        ((("a", 1),) * 5, "clients=5 must be between 1 and 4"),
        ((("a", 1), ("b", 0)), "bursts=0 of client b must be at least 1"),
    ],
)
def test_bad_clients_are_refused(clients: tuple[tuple[str, int], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AxiReader(config_of(4), clients)


def test_bad_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="depth=0 must be at least 1"):
        LandingBuffer(8, 0)
