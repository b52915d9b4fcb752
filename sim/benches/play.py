"""Any unit that only has streams: given beats go in, the beats that come out must equal the given ones, bit for bit.

Parameters: `file`, an .npz with the words of every stream by name, and for an output `x` which bits count, `x_mask`;
`stalls`, a list of Stalls as lists.
"""

from __future__ import annotations

import cocotb
import numpy as np

from sevedo.sim.bench import bench_parameters, bench_streams
from sevedo.sim.streams import Stalls, StreamDriver, StreamMonitor, start


@cocotb.test()
async def play(dut) -> None:
    """Once for every kind of stall, without a reset in between."""
    parameters, streams = bench_parameters(), bench_streams()
    with np.load(parameters["file"], allow_pickle=False) as file:
        words = {name: file[name] for name in streams}
        masks = {name: file[f"{name}_mask"] for name, stream in streams.items() if stream.direction == "out"}
    checked = 0
    for seed, stalls in enumerate(Stalls(*values) for values in parameters["stalls"]):
        drivers = {
            name: StreamDriver(dut, stream, stall=stalls.input, seed=seed)
            for name, stream in streams.items()
            if stream.direction == "in"
        }
        monitors = {
            name: StreamMonitor(
                dut, stream, stall=stalls.output, patient=stalls.patient, seed=seed, hang=5000
            )
            for name, stream in streams.items()
            if stream.direction == "out"
        }
        if seed == 0:
            await start(dut)
        sending = [cocotb.start_soon(driver.send(words[name])) for name, driver in drivers.items()]
        receiving = {
            name: cocotb.start_soon(monitor.receive(len(words[name]), drain=40))
            for name, monitor in monitors.items()
        }
        for name, task in receiving.items():
            taken = await task
            assert not ((taken ^ words[name]) & masks[name]).any(), f"{name} differs with {stalls}"
            assert monitors[name].transfers == len(words[name])
            checked += len(taken)
        for sent in sending:
            await sent
        for name, driver in drivers.items():
            assert driver.transfers == len(words[name]), (
                f"{name}: {driver.transfers} of {len(words[name])} taken"
            )
    dut._log.info("%d beats checked", checked)
    assert checked == len(parameters["stalls"]) * sum(len(words[name]) for name in monitors)
