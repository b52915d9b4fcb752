"""Run a compiled program on a board, over its USB serial port, compared bit for bit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevedo.gen.cli import Finite

if TYPE_CHECKING:
    from sevedo.gen.compile import Compiled
    from sevedo.gen.host.accelerator import Counters
    from sevedo.gen.host.link import BoardTransport

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("run")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--board", "name", metavar="BOARD", default="ulx3s-85f", show_default=True, help="See docs/boards.md."
)
@click.option("--port", help="Serial port of the board.  [default: the board's usual one]")
@click.option("--baud", type=click.IntRange(min=9600), help="As it was built with.  [default: the board's]")
@click.option(
    "--inputs", type=_FILE, help=".npz: an array [T, K] for each input of the program, under its name."
)
@click.option(
    "--text", metavar="SENTENCE", help="Inputs are what its first T tokens give in the unquantized model."
)
@click.option(
    "--model", help="For --text: packaged model or checkpoint.  [default: what the program was made of]"
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of random inputs.")
@click.option(
    "--limit", type=Finite(0.001, 3600), default=60.0, show_default=True, help="Seconds of the run, at most."
)
@click.option("--reset", is_flag=True, help="Reset the processor first, whatever it does.")
@click.option("--json", "json_", type=_FILE, help="Figures, written as JSON.")
@click.option("--outputs", type=_FILE, help="Outputs of all layers, written as .npz.")
def command(
    folder: Path,
    name: str,
    port: str | None,
    baud: int | None,
    inputs: Path | None,
    text: str | None,
    model: str | None,
    seed: int,
    limit: float,
    reset: bool,
    json_: Path | None,
    outputs: Path | None,
) -> None:
    """Run the program in DIR, which `sevedo compile` wrote, on a board that `sevedo bitstream` was built for, and
    compare all of the data segment with the Python machine. Exit code 1 if a single bit differs.

    \b
    Examples:
      sevedo run build/layer --board ulx3s-85f --port /dev/ttyUSB0
      sevedo run build/layer --board icebreaker --port /dev/ttyUSB1 --json figures.json
    """
    from sevedo.gen.boards.board import ARRAY, board_named
    from sevedo.gen.compile import load_compiled
    from sevedo.gen.files import check_output
    from sevedo.gen.host.accelerator import ProcessorError
    from sevedo.gen.host.given import given_inputs, verdict
    from sevedo.gen.host.link import BoardTransport, LinkError, Session, open_port
    from sevedo.gen.host.run import first_difference, golden

    board = board_named(name)
    for what, path in (("json", json_), ("outputs", outputs)):
        if path is not None:
            check_output(path, what)
    compiled = load_compiled(folder)
    data = bytes(compiled.data(given_inputs(compiled, folder, inputs, text, model, seed)))
    wanted, _ = golden(compiled, data)
    line = open_port(port or board.port, baud or board.baud)
    try:
        transport = BoardTransport(Session(line))
        if reset:
            transport.reset_processor()
        if board.kind == ARRAY:
            found, facts = run_on_array(transport, compiled, data)
            click.echo(
                f"{facts['tiles']:,} tiles of residual sums from the board in {facts['seconds']:.1f} s"
            )
            exact = first_difference(found, wanted) is None
            _write_files(compiled, transport, found, facts | {"bit_exact": exact}, json_, outputs)
            click.echo(verdict(compiled, first_difference(found, wanted)))
            raise SystemExit(int(not exact))
        if not transport.info.memory_bytes:
            raise LinkError("the board holds an array alone, and not a processor: another board was meant")
        found, counters, seconds = run_on_board(transport, compiled, data, limit)
    except ProcessorError as error:
        click.echo(f"sevedo: the processor failed: {error}", err=True)
        raise SystemExit(1) from None
    else:
        _show(transport, counters, seconds)
        _write(compiled, transport, found, counters, first_difference(found, wanted) is None, json_, outputs)
    finally:
        line.close()
    different = first_difference(found, wanted)
    click.echo(verdict(compiled, different))
    if different is not None:
        raise SystemExit(1)


def run_on_board(
    transport: BoardTransport, compiled: Compiled, data: bytes, limit: float
) -> tuple[bytes, Counters, float]:
    """Load, run and read back: the data segment, counters, seconds of the run as the board counts them.

    Raises
    ------
    LinkError, HostError, ProcessorError : one line.
    """
    from sevedo.gen.host.accelerator import Accelerator
    from sevedo.gen.host.link.board import placed

    transport.require_self_test()
    accelerator = Accelerator(transport, compiled.config)
    transport.grant(*placed(compiled))  # before anything is written
    accelerator.load(compiled, *placed(compiled))
    accelerator.write_data(data)
    accelerator.run(int(limit * transport.info.clock_hz))
    counters = accelerator.counters()
    return accelerator.read_data(), counters, counters.cycles / transport.info.clock_hz


def run_on_array(transport: BoardTransport, compiled: Compiled, data: bytes) -> tuple[bytes, dict[str, Any]]:
    """The Python machine with the residual sums of a board that has nothing but an array: data segment, figures.

    Raises
    ------
    LinkError, HostError : one line.
    """
    import time

    from sevedo.gen.host.link import BoardArray
    from sevedo.ref.machine import run as run_machine

    transport.require_self_test()
    began = time.monotonic()
    with click.progressbar(length=0, label="tiles", file=sys.stderr, show_pos=True) as bar:
        array = BoardArray(transport, compiled.config, lambda tiles: bar.update(1))
        segment = bytearray(data)
        run_machine(compiled.config, compiled.image, segment, compiled.program, array.residual)
    return bytes(segment), {"tiles": array.tiles, "seconds": round(time.monotonic() - began, 3)}


def _show(transport: BoardTransport, counters: Counters, seconds: float) -> None:
    from rich.console import Console

    from sevedo.gen.host.show import counter_table

    console = Console()
    if not console.is_terminal:
        console.width = 150
    console.print(counter_table(counters.cycles, counters.units))
    session = transport.session
    click.echo(
        f"{counters.cycles:,} cycles at {transport.info.clock_hz / 1e6:g} MHz: {1000 * seconds:.3f} ms; "
        f"{session.resent} requests sent again, {session.damaged} answers damaged"
    )


def _write(
    compiled: Compiled,
    transport: BoardTransport,
    found: bytes,
    counters: Counters,
    exact: bool,
    json_: Path | None,
    outputs: Path | None,
) -> None:
    _write_files(
        compiled, transport, found, {"bit_exact": exact, "counters": counters.data()}, json_, outputs
    )


def _write_files(
    compiled: Compiled,
    transport: BoardTransport,
    found: bytes,
    figures: dict[str, Any],
    json_: Path | None,
    outputs: Path | None,
) -> None:
    import numpy as np

    from sevedo.gen.files import write_atomically
    from sevedo.gen.host.given import decoded_outputs

    writers: dict[Path, Any] = {}
    if json_ is not None:
        info = transport.look()
        facts = {
            "schema": 1, **figures, "clock_hz": info.clock_hz, "memory_bytes": info.memory_bytes,
            "self_test": info.self_test, "tokens": compiled.tokens,
            "frames": {"good": info.good, "bad": info.bad, "full": info.full, "resent": transport.session.resent},
        }  # fmt: skip
        writers[json_] = lambda file: file.write((json.dumps(facts, indent=2) + "\n").encode())
    if outputs is not None:
        values: dict[str, Any] = decoded_outputs(compiled, found)
        writers[outputs] = lambda file: np.savez(file, **values)
    write_atomically(writers)
