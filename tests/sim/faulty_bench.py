"""Runs inside cocotb: a faulty buffer under stalls, with the fault that the parameters name."""

from __future__ import annotations

import cocotb
import numpy as np

from sevedo.sim.bench import bench_parameters, bench_streams
from sevedo.sim.streams import StreamDriver, StreamMonitor, start


@cocotb.test()
async def passes_every_beat(dut):
    streams = bench_streams()
    values = np.random.default_rng(4).integers(0, 2**11, (30, 1), np.uint32)
    driver = StreamDriver(dut, streams["i"], seed=1)
    monitor = StreamMonitor(dut, streams["o"], stall=0.25, patient=True, seed=1, hang=100)
    dut.fault.value = bench_parameters()["fault"]
    await start(dut)
    sending = cocotb.start_soon(driver.send(values))
    received = await monitor.receive(len(values))
    await sending
    assert driver.transfers == len(values)
    assert np.array_equal(received, values), "a beat arrived changed"
    assert int(dut.taken.value) == len(values)
