"""Millions of operands through one unit in compiled simulation.

Data flow: unit -> Verilog -> Verilator -> a small program that streams operand words in and result words out. The
program is made once per distinct unit and kept under ``build/sim``, named by what it was made from.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from amaranth.hdl import Shape
from numpy.typing import NDArray

from sevedo.gen.verilog.emitter import EmittedModule, Port, emit
from sevedo.gen.verilog.emitter import verilog as to_verilog
from sevedo.hw.unit import Unit

from .compile import program

_BLOCK = 1 << 20  # rows per call of the program: bounds memory and files


def evaluate(unit: Unit, inputs: Mapping[str, NDArray], gates: bool = True) -> dict[str, NDArray]:
    """The outputs of `unit` for every row of `inputs`, one row per cycle.

    A combinational unit is settled once per row. A clocked one gets a row per clock, back to back, and its outputs are
    taken `unit.latency` clocks later; the reset is pulsed once at the start.

    Parameters
    ----------
    unit : plain ports, no handshakes
    inputs : for every input port, by its Verilog name, an integer array of one length N: shape (N,) for up to 64 bits,
        (N, words) of 64-bit words, lowest first, for wider ports. Negative numbers are taken in two's complement.
    gates : simulate the gates of every unit; otherwise its definition, where it has one (see `Unit.definition`)

    Returns
    -------
    For every output port an array of the same kinds: uint64, or int64 for a signed port of up to 64 bits.

    Raises
    ------
    ValueError : inputs that do not match the ports.
    """
    modules = emit(unit)
    top = modules[-1]
    sources = [p for p in top.ports if p.direction == "input"]
    targets = [p for p in top.ports if p.direction == "output"]
    names = {p.name for p in sources}
    if names != set(inputs):
        raise ValueError(f"inputs={sorted(inputs)} must be the input ports {sorted(names)} of {top.name}")
    columns = {p.name: _words(p, inputs[p.name]) for p in sources}
    rows = {len(c) for c in columns.values()}
    if len(rows) != 1:
        raise ValueError(f"inputs of {top.name} must have one length, not {sorted(rows)}")
    executable = _program(modules, sources, targets, gates)

    blocks = []
    for start in range(0, rows.pop(), _BLOCK):
        words = np.concatenate([columns[p.name][start : start + _BLOCK] for p in sources], axis=1)
        blocks.append(_run(executable, words, sum(_size(p) for p in targets)))
    results = np.concatenate(blocks) if blocks else np.zeros((0, sum(_size(p) for p in targets)), np.uint64)

    outputs = {}
    for port in targets:
        part, results = results[:, : _size(port)], results[:, _size(port) :]
        outputs[port.name] = _values(port, part)
    return outputs


def _run(executable: Path, words: NDArray[np.uint64], columns: int) -> NDArray[np.uint64]:
    with tempfile.TemporaryDirectory() as folder:
        operands, results = Path(folder, "operands"), Path(folder, "results")
        words.tofile(operands)
        subprocess.run([executable, operands, results, str(len(words))], check=True)
        return np.fromfile(results, np.uint64).reshape(len(words), columns)


def _size(port: Port) -> int:
    return max(1, -(-port.width // 64))


def _words(port: Port, values: NDArray) -> NDArray[np.uint64]:
    """The rows of one port as 64-bit words, unused bits cleared."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise ValueError(f"inputs[{port.name!r}] of type {array.dtype} must be an integer array")
    if _size(port) == 1:
        array = array.reshape(-1, 1) if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[1] != _size(port):
        raise ValueError(f"inputs[{port.name!r}] of shape {array.shape} must have {_size(port)} words a row")
    words = array.astype(np.uint64)
    if port.width % 64:
        words[:, -1] &= np.uint64((1 << (port.width % 64)) - 1)
    return words


def _values(port: Port, words: NDArray[np.uint64]) -> NDArray:
    if _size(port) > 1:
        return words
    column = words[:, 0]
    if isinstance(port.layout, str) and Shape.cast(_shape(port.layout)).signed:
        spare = np.int64(64 - port.width)
        return (column.astype(np.int64) << spare) >> spare
    return column


def _shape(text: str) -> Shape:
    kind, width = text.rstrip(")").split("(")
    return Shape(int(width), kind == "signed")


# -- the program --------------------------------------------------------------------------------------------------


def _program(modules: list[EmittedModule], sources: list[Port], targets: list[Port], gates: bool) -> Path:
    """The compiled program for one unit, made unless it is there."""
    top = modules[-1]
    main = _main(sources, targets, clock=top.clock, reset=top.reset, latency=top.latency or 0)
    return program(to_verilog(modules), top.name, main, gates=gates)


def _main(
    sources: list[Port], targets: list[Port], *, clock: str | None, reset: str | None, latency: int
) -> str:
    def read(port: Port, at: int) -> str:
        if port.width <= 64:
            return f"top->{port.name} = in[{at}];"
        return " ".join(
            f"top->{port.name}[{i}] = (uint32_t)(in[{at + i // 2}] >> {32 * (i % 2)});"
            for i in range(-(-port.width // 32))
        )

    def write(port: Port, at: int) -> str:
        if port.width <= 64:
            return f"out[{at}] = top->{port.name};"
        return f"for (int i = 0; i < {_size(port)}; i++) out[{at} + i] = 0;" + " ".join(
            f"out[{at + i // 2}] |= (uint64_t)top->{port.name}[{i}] << {32 * (i % 2)};"
            for i in range(-(-port.width // 32))
        )

    reads, writes, ins, outs = [], [], 0, 0
    for port in sources:
        reads.append(read(port, ins))
        ins += _size(port)
    for port in targets:
        writes.append(write(port, outs))
        outs += _size(port)
    # A row is taken by the rising edge that follows it; the outputs of row r are there after `latency` edges.
    edge = f"top->{clock} = 1; top->eval(); top->{clock} = 0; top->eval();" if clock else ""
    start = f"top->{reset} = 1; {edge} top->{reset} = 0;" if reset else ""
    return f"""\
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>
#include "Vtop.h"
#include "verilated.h"

int main(int argc, char** argv) {{
    if (argc != 4) return 2;
    const long rows = atol(argv[3]), latency = {latency if clock else 0};
    std::vector<uint64_t> operands(rows * {ins}), results(rows * {outs});
    FILE* file = fopen(argv[1], "rb");
    if (!file || fread(operands.data(), {8 * ins}, rows, file) != (size_t)rows) return 3;
    fclose(file);
    Vtop* top = new Vtop;
    {start}
    for (long row = 0; row < rows + latency; row++) {{
        if (row < rows) {{
            const uint64_t* in = &operands[row * {ins}];
            {" ".join(reads)}
        }}
        top->eval();
        if (row >= latency) {{
            uint64_t* out = &results[(row - latency) * {outs}];
            {" ".join(writes)}
        }}
        {edge}
    }}
    file = fopen(argv[2], "wb");
    if (!file || fwrite(results.data(), {8 * outs}, rows, file) != (size_t)rows) return 4;
    return fclose(file) ? 5 : 0;
}}
"""
