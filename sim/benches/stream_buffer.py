"""Bench of any unit that passes beats from stream `i` to stream `o` unchanged."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge

from sevedo.sim.bench import bench_parameters, bench_streams
from sevedo.sim.streams import BATTERY, StreamDriver, StreamMonitor, start


@cocotb.test()
@cocotb.parametrize(stalls=BATTERY)
async def passes_every_beat(dut, stalls):
    """Order, count and every bit, whatever stalls."""
    streams = bench_streams()
    count = bench_parameters()["beats"]
    width = streams["i"].width
    values = np.random.default_rng(1).integers(0, 2**32, (count, streams["i"].words), np.uint32)
    values[:, -1] &= np.uint32((1 << ((width - 1) % 32 + 1)) - 1)
    driver = StreamDriver(dut, streams["i"], stall=stalls.input, seed=2)
    monitor = StreamMonitor(dut, streams["o"], stall=stalls.output, patient=stalls.patient, seed=3)
    await start(dut)
    sending = cocotb.start_soon(driver.send(values))
    received = await monitor.receive(count)
    await sending
    assert driver.transfers == monitor.transfers == count
    assert np.array_equal(received, values)


@cocotb.test()
async def declared_latency(dut):
    """Cycles from the first transfer in to valid out, and full throughput from then on."""
    parameters, streams = bench_parameters(), bench_streams()
    driver = StreamDriver(dut, streams["i"])
    monitor = StreamMonitor(dut, streams["o"])
    await start(dut)
    dut.o_ready.value = 1
    count = 20
    sending = cocotb.start_soon(driver.send(np.zeros((count, streams["i"].words), np.uint32)))
    taken, given = [], []
    for cycle in range(count + parameters["latency"]):
        await FallingEdge(dut.clk)
        if int(dut.i_valid.value) and int(dut.i_ready.value):
            taken.append(cycle)
        if int(dut.o_valid.value):
            given.append(cycle)
        await RisingEdge(dut.clk)
    await sending
    assert monitor.transfers == 0
    assert taken == list(range(count))
    assert given == [cycle + parameters["latency"] for cycle in taken]
