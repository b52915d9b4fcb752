"""Long simulations: beats in, beats out, through Verilator's compiled model; stream rules are checked every cycle."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sevedo.gen.verilog import emitter
from sevedo.gen.verilog.manifest import StreamPort, manifest
from sevedo.hw.unit import Unit

from . import compile as compiler
from .glue import Pin, glue

Words = NDArray[np.uint32]
Progress = Callable[[int, int], None]
Stall = float | Mapping[str, float]


class SimulationError(AssertionError):
    """The design broke a stream rule, stood still, or gave too many beats. The message names stream and cycle."""


@dataclass(frozen=True)
class StreamCounts:
    """What happened on one stream: cycles count from the end of reset; `waits` are cycles of valid without ready."""

    beats: int
    first: int
    last: int
    waits: int


@dataclass(frozen=True)
class PlayResult:
    """What a run gave.

    Members
    -------
    outputs : beats of every output stream, uint32 [beats, words]
    counts : what happened on every stream
    status : value of every plain output port at the end
    first_in, last_out : cycle of the first transfer in, of the last transfer out
    """

    outputs: dict[str, Words]
    counts: dict[str, StreamCounts]
    status: dict[str, int]
    first_in: int
    last_out: int

    @property
    def cycles(self) -> int:
        """Cycles from the first transfer in to the last transfer out, both counted."""
        return self.last_out - self.first_in + 1


@dataclass(frozen=True)
class Repeated:
    """Beats of an input stream that are sent more than once.

    Members
    -------
    words : distinct beats, uint32 [distinct beats, words]
    order : integer indices of distinct beats, in the order in which they are sent
    """

    words: Words
    order: NDArray[Any]


@dataclass
class Player:
    """A compiled design that plays streams.

    Parameters
    ----------
    verilog : the Verilog, or the path of its file
    top : module to simulate
    streams : its streams, as in the manifest
    pins : its ports outside streams, clock and reset: inputs are held at one value, outputs are read at the end
    clock, reset : names of those ports, None without one
    waves : whether runs can write a VCD; another, slower build
    gates : simulate the gates of every unit, also of those that have a faster definition
    quick : compile without optimization, for short runs of large designs
    """

    verilog: str | Path
    top: str
    streams: Sequence[StreamPort]
    pins: Sequence[Pin] = ()
    clock: str | None = "clk"
    reset: str | None = "rst"
    waves: bool = False
    gates: bool = False
    quick: bool = False
    executable: Path | None = field(default=None, init=False)

    @classmethod
    def from_manifest(
        cls, verilog: str | Path, content: Mapping[str, Any], waves: bool = False, gates: bool = False
    ) -> Player:
        """A player for a design and the content of its manifest.json."""
        streams = [StreamPort.from_dict(entry) for entry in content["streams"]]
        taken = {f.port for s in streams for f in s.fields} | {
            s.name + end for s in streams for end in _HANDSHAKE
        }
        pins = [
            Pin(p["name"], p["direction"], p["width"]) for p in content["ports"] if p["name"] not in taken
        ]
        reset = content["reset"]["port"] if content["reset"] else None
        return cls(verilog, content["top"], streams, pins, content["clock"], reset, waves, gates)

    @classmethod
    def of(cls, unit: Unit, waves: bool = False) -> Player:
        """A player for a unit, emitted here."""
        modules = emitter.emit(unit)
        text = emitter.verilog(modules)
        return cls.from_manifest(text, manifest(modules, text), waves)

    def build(self) -> Path:
        """Compile, unless that was done before; the executable.

        Raises
        ------
        BuildError : naming the log, when a tool refuses the design.
        ToolError : naming what to install, when a tool is missing.
        """
        if self.executable is None:
            text = (
                self.verilog.read_text(encoding="utf-8") if isinstance(self.verilog, Path) else self.verilog
            )
            source = glue(self.streams, self.pins, self.clock, self.reset)
            self.executable = compiler.program(
                text,
                self.top,
                source,
                with_player=True,
                waves=self.waves,
                gates=self.gates,
                quick=self.quick,
            )
        return self.executable

    def run(
        self,
        inputs: Mapping[str, Words | Repeated],
        outputs: Mapping[str, int],
        *,
        stall: tuple[Stall, Stall] = (0.0, 0.0),
        patient: bool = False,
        seed: int = 0,
        pins: Mapping[str, int] | None = None,
        timeout: int = 1 << 40,
        hang: int = 20_000,
        drain: int = 64,
        progress: Progress | None = None,
        waves: str | Path | None = None,
    ) -> PlayResult:
        """Reset, then play `inputs` until every beat is consumed and every expected beat has come.

        Parameters
        ----------
        inputs : beats of every input stream, uint32 [beats, words], or `Repeated` ones
        outputs : number of beats expected of every output stream
        stall : probability per cycle that an input holds a beat back, that an output is not ready; for all streams or
            by name
        patient : outputs become ready only after valid was seen: a producer that waits for ready stands still
        pins : values of plain input ports, 0 by default
        timeout : cycles after which the run is an error
        hang : cycles without any transfer after which it is an error
        drain : cycles to go on after the last beat, looking for surplus ones
        progress : called now and then, and at the end, with (cycles, output beats) so far
        waves : path of the VCD to write; needs a player with waves

        Raises
        ------
        SimulationError : when the design breaks a rule, stands still or gives surplus beats.
        ValueError : for streams that are missing, unknown, or of the wrong shape.
        """
        executable = self.build()
        if waves is not None and not self.waves:
            raise ValueError(f"waves={waves} needs a player built with waves=True")
        beats_in = self._checked(inputs, outputs)
        with tempfile.TemporaryDirectory(prefix="sevedo-play-") as name:
            folder = Path(name)
            lines = [
                f"seed {seed}",
                f"timeout {timeout}",
                f"hang {hang}",
                f"drain {drain}",
                f"patient {int(patient)}",
            ]
            if waves is not None:
                lines.append(f"waves {Path(waves).absolute()}")
            for stream in self.streams:
                path = folder / f"{stream.name}.bin"
                if stream.direction == "in":
                    given = beats_in[stream.name]
                    given.words.tofile(path)
                    count, held = len(given.words), _threshold(stall[0], stream.name)
                    extra = ""
                    if given.order is not None:
                        order = path.with_suffix(".order")
                        given.order.tofile(order)
                        count, extra = len(given.order), f" {order} {len(given.words)}"
                else:
                    count, held = outputs[stream.name], _threshold(stall[1], stream.name)
                    extra = ""
                lines.append(f"{stream.direction}put {stream.name} {path} {count} {held}{extra}")
            lines += self._pin_lines(pins or {})
            script = folder / "script"
            script.write_text("\n".join(lines) + "\n", encoding="utf-8")
            answer = _execute([str(executable), str(script)], progress)
            words = {
                s.name: np.fromfile(folder / f"{s.name}.bin", np.uint32).reshape(-1, s.words)
                for s in self.streams
                if s.direction == "out"
            }
        return self._result(answer, words)

    def _checked(
        self, inputs: Mapping[str, Words | Repeated], outputs: Mapping[str, int]
    ) -> dict[str, _Beats]:
        for direction, given in (("in", set(inputs)), ("out", set(outputs))):
            names = {s.name for s in self.streams if s.direction == direction}
            if given != names:
                raise ValueError(f"{direction}puts={sorted(given)} must be given for exactly {sorted(names)}")
        arrays = {}
        for stream in self.streams:
            if stream.direction == "in":
                beats = inputs[stream.name]
                array = beats.words if isinstance(beats, Repeated) else beats
                if array.dtype != np.uint32 or array.ndim != 2 or array.shape[1] != stream.words:
                    raise ValueError(
                        f"inputs.{stream.name}={array.dtype}{list(array.shape)} must be uint32[beats, {stream.words}]"
                    )
                order = _indices(stream.name, beats) if isinstance(beats, Repeated) else None
                arrays[stream.name] = _Beats(np.ascontiguousarray(array), order)
        return arrays

    def _pin_lines(self, values: Mapping[str, int]) -> list[str]:
        known = {pin.name: pin for pin in self.pins if pin.direction == "input"}
        lines = []
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"pins.{name} must be one of {sorted(known)}")
            if not 0 <= value < 1 << known[name].width:
                raise ValueError(f"pins.{name}={value} must fit in {known[name].width} bits, unsigned")
            words = [f"{value >> shift & 0xFFFFFFFF:x}" for shift in range(0, known[name].width, 32)]
            lines.append(f"pin {name} {' '.join(words)}")
        return lines

    def _result(self, answer: list[list[str]], words: dict[str, Words]) -> PlayResult:
        counts = {w[1]: StreamCounts(*map(int, w[2:])) for w in answer if w[0] in ("input", "output")}
        ins = [counts[s.name] for s in self.streams if s.direction == "in" and counts[s.name].beats]
        outs = [counts[s.name] for s in self.streams if s.direction == "out" and counts[s.name].beats]
        return PlayResult(
            outputs=words,
            counts=counts,
            status={w[1]: int(w[2], 16) for w in answer if w[0] == "status"},
            first_in=min((c.first for c in ins), default=0),
            last_out=max((c.last for c in outs), default=0),
        )


_HANDSHAKE = ("_valid", "_ready")


@dataclass(frozen=True)
class _Beats:
    words: Words
    order: Words | None


def _indices(name: str, given: Repeated) -> Words:
    """The order as the player reads it."""
    order = given.order
    if order.ndim != 1 or order.dtype.kind not in "iu":
        raise ValueError(f"inputs.{name}.order={order.dtype}{list(order.shape)} must be integers[beats]")
    if len(order) and not 0 <= int(order.min()) <= int(order.max()) < len(given.words):
        wrong = int(order.min()) if order.min() < 0 else int(order.max())
        raise ValueError(f"inputs.{name}.order={wrong} must be the number of one of {len(given.words)} beats")
    return order.astype(np.uint32)


def _threshold(stall: Stall, name: str) -> int:
    """A probability as a number out of 2^32."""
    chance = stall.get(name, 0.0) if isinstance(stall, Mapping) else stall
    if not 0 <= chance < 1:
        raise ValueError(f"stall={chance} must be at least 0 and below 1")
    return round(chance * 2**32)


def _execute(command: list[str], progress: Progress | None) -> list[list[str]]:
    """Run a player; the words of every line it answers."""
    answer = []
    environment = {**os.environ, "LC_ALL": "C"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                words = line.split()
                if words[:1] == ["progress"]:
                    if progress is not None:
                        progress(int(words[1]), int(words[2]))
                elif words[:1] == ["error"]:
                    process.wait()
                    raise SimulationError(line.split(" ", 1)[1].strip())
                elif words:
                    answer.append(words)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise SimulationError(f"the simulation ended with code {process.returncode}: {command[0]}")
    return answer
