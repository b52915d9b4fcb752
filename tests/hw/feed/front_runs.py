"""Programs through controller and front end, without a core: what would reach it, and what should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.hdl import Module
from amaranth.lib.wiring import connect, flipped

import sevedo.hw.feed.front as front_module
from sevedo.gen.compile import compile_layers
from sevedo.gen.config import Config
from sevedo.gen.config.instructions import INSTRUCTION_BYTES, Segment, decode
from sevedo.gen.verilog.manifest import StreamPort, streams
from sevedo.hw.control.controller import Controller
from sevedo.hw.feed.front import UNITS, core_streams
from sevedo.hw.unit import Unit
from sevedo.ref.linear import QuantizedLinear
from sevedo.ref.rounding import encode
from sevedo.sim.packing import leaves, pack
from sevedo.sim.player import Player
from sevedo.sim.schedule import schedule

Words = np.ndarray[Any, Any]
BUSES = ("load", "stream")
STATUS = ("failed", "error", "error_unit", "error_number", "instructions", "busy", "waits", "reset")


class FrontBench(Unit):
    """A controller whose program comes as a stream, and a front end; STOREs are done at once, END never is.

    Parameters
    ----------
    config : sizes and formats
    size : bytes of the program

    Members
    -------
    program_request, program_data : the controller's client of the bus
    load_request, load_data, stream_request, stream_data, <stream> : the front end's
    failed, error, error_unit, error_number : Out, the controller's
    """

    def __init__(self, config: Config, size: int) -> None:
        self.config, self.size = config, size
        front = front_module.FrontEnd(config).signature.members
        control = Controller(config).signature.members
        names = [f"{unit}_{what}" for unit in BUSES for what in ("request", "data")]
        super().__init__(
            {name: front[name] for name in (*names, *core_streams(config))}
            | {"program_request": control["request"], "program_data": control["data"]}
            | {name: control[name] for name in STATUS}
        )

    @property
    def module_name(self) -> str:
        return "front_bench"

    def build(self) -> Module:
        m = Module()
        m.submodules.controller = control = Controller(self.config)
        m.submodules.front = front = front_module.FrontEnd(self.config)
        front.also_reset = control.reset
        connect(m, control.request, flipped(self.program_request))
        connect(m, flipped(self.program_data), control.data)
        m.d.comb += [
            control.start.eq(1),
            control.image_size.eq(self.size),
            control.watchdog.eq(1 << 30),
            control.bus_idle.eq(1),
            control.progress.eq(1),
            control.store.ready.eq(1),
            control.stream_fault.eq(front.stream_fault),
            *(getattr(self, name).eq(getattr(control, name)) for name in STATUS),
        ]
        m.d.sync += control.store_done.eq(control.store.valid)
        for unit in UNITS:
            connect(m, getattr(control, unit), getattr(front, unit))
            m.d.comb += getattr(control, f"{unit}_done").eq(getattr(front, f"{unit}_done"))
        for name in (
            *(f"{unit}_{what}" for unit in BUSES for what in ("request", "data")),
            *core_streams(self.config),
        ):
            connect(m, getattr(front, name), flipped(getattr(self, name)))
        return m


@dataclass(frozen=True)
class FrontRun:
    """What goes in, and what must come out.

    Members
    -------
    inputs : words of the input streams
    expected, masks : words of the core's streams, and which of their bits are compared
    requests : beats of the streams of requests
    """

    size: int
    inputs: dict[str, Words]
    expected: dict[str, Words]
    masks: dict[str, Words]
    requests: dict[str, int]


def front_run(config: Config, layers: dict[str, QuantizedLinear], x: dict[str, Any]) -> FrontRun:
    """A program of layers, as the buses bring it; the golden streams of the core."""
    tokens = next(iter(x.values())).shape[0]
    compiled = compile_layers(layers, config, tokens)
    data = compiled.data({n: encode(x[n], config.numbers.data_format).numpy() for n in compiled.inputs})
    size = compiled.instructions * INSTRUCTION_BYTES
    whole = max(config.bus.data_bytes, INSTRUCTION_BYTES)
    size = -(-size // whole) * whole
    program = compiled.image[compiled.program : compiled.program + size].ljust(size, b"\0")
    segments = {Segment.IMAGE: compiled.image, Segment.DATA: bytes(data)}
    brought: dict[str, list[bytes]] = {unit: [] for unit in BUSES}
    bus = config.bus.data_bytes
    number_bytes = config.numbers.data_format.width // 8
    for index in range(compiled.instructions):
        found, fields, _ = decode(program[index * INSTRUCTION_BYTES :][:INSTRUCTION_BYTES])
        assert found is not None
        if found.name == "LOAD":
            length = -(-fields["inputs"] * number_bytes // bus) * bus
            for token in range(fields["tokens"]):
                start = fields["address"] + token * fields["pitch"]
                brought["load"].append(segments[Segment(fields["segment"])][start:][:length])
        elif found.name == "STREAM":
            start = fields["address"]
            brought["stream"].append(segments[Segment(fields["segment"])][start:][: fields["words"] * bus])
    ports = {port.name: port for port in streams(FrontBench(config, size))}
    inputs = {"program_data": _words(ports["program_data"], program, bus)}
    for unit in BUSES:
        inputs[f"{unit}_data"] = _words(ports[f"{unit}_data"], b"".join(brought[unit]), bus)
    chunk = max(256, whole)
    requests = {
        "program_request": -(-size // chunk),
        "load_request": len(brought["load"]),
        "stream_request": len(brought["stream"]),
    }
    return FrontRun(size, inputs, *_golden(config, ports, layers, x), requests)


def _words(port: StreamPort, content: bytes, bus: int) -> Words:
    """Bytes as beats of a stream of bus words."""
    return np.frombuffer(content, np.uint32).reshape(-1, bus // 4)


def _golden(
    config: Config, ports: dict[str, StreamPort], layers: dict[str, QuantizedLinear], x: dict[str, Any]
) -> tuple[dict[str, Words], dict[str, Words]]:
    """The core's streams for one column tile after the other, and masks: columns without a token may hold anything."""
    found: dict[str, list[Words]] = {name: [] for name in core_streams(config)}
    masks: dict[str, list[Words]] = {name: [] for name in found}
    cols = config.rmc.cols
    for name, layer in layers.items():
        for first in range(0, x[name].shape[0], cols):
            part = x[name][first : first + cols]
            job = schedule(layer, layer.prepare(part))
            for stream_name, beats in job.streams.items():
                words = pack(ports[stream_name], beats.fields)[beats.order]
                found[stream_name].append(words)
                mask = np.full_like(words, 0xFFFFFFFF)
                if stream_name in ("x", "x_scale", "token", "int_x", "int_x_scale"):
                    mask = _columns(ports[stream_name], len(words), len(part))
                masks[stream_name].append(mask)
    return (
        {name: np.concatenate(each) for name, each in found.items()},
        {name: np.concatenate(each) for name, each in masks.items()},
    )


def _columns(port: StreamPort, beats: int, tokens: int) -> Words:
    """A mask of the columns that have a token."""
    values = {}
    for leaf in leaves(port):
        ones = np.zeros((1, *leaf.shape), np.int64)
        ones[:, :tokens] = -1 if leaf.signed else leaf.high
        values[leaf.name] = ones
    return np.repeat(pack(port, values), beats, axis=0)


def check_front(
    player: Player, run: FrontRun, stall: tuple[float, float], seed: int = 0, patient: bool = False
) -> int:
    """Play and compare; output beats compared.

    Raises
    ------
    AssertionError, SimulationError : a bit differs, a beat is lost or surplus, or a stream rule is broken.
    """
    counts = {name: len(words) for name, words in run.expected.items()} | run.requests
    played = player.run(run.inputs, counts, stall=stall, seed=seed, patient=patient, hang=4000)
    assert played.status["failed"] == 0
    for name, words in run.expected.items():
        mask = run.masks[name]
        np.testing.assert_array_equal(played.outputs[name] & mask, words & mask, err_msg=name)
    return sum(len(words) for words in run.expected.values())
