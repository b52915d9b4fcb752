"""The registers against cocotbext-axi's AXI4-Lite master and a model made from the description."""

from __future__ import annotations

import pytest

from sevedo.gen.config.registers import Field, Kind, Register
from sevedo.gen.verilog.emitter import flatten_ports
from sevedo.hw.bus.registers import Registers
from sevedo.sim.bench import run_bench

BENCH = "registers_bench"
TESTS = 9


def test_registers() -> None:
    assert run_bench(Registers(), BENCH) == TESTS


def test_ports_have_the_names_of_the_standard() -> None:
    names = {port.name for port in flatten_ports(Registers())}
    lite = "awaddr awprot awvalid awready wdata wstrb wvalid wready bresp bvalid bready araddr arprot arvalid arready"
    assert names > {f"axi_{name}" for name in f"{lite} rdata rresp rvalid rready".split()}
    assert names > {"irq", "running", "restart", "image_base", "control_start", "stream_wait_input"}


@pytest.mark.parametrize("offset", [2, 4096, -4])
def test_bad_offsets_are_refused(offset: int) -> None:
    register = Register("ODD", offset, (Field("value", 0, 32, Kind.STORED, 0),), "")
    with pytest.raises(ValueError, match=f"ODD.offset={offset} must be a multiple of 4 below 4096"):
        Registers((register,))
