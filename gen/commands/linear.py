"""Quantize and compute one linear layer of your own matrices, in the golden model or in the Verilog."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from sevedo.gen.cli import CONFIG_FILE, UserError, config_option
from sevedo.gen.config import Config

if TYPE_CHECKING:
    from sevedo.ref.linear import LayerInputs, LayerTrace, QuantizedLinear

DEFAULT_RANK = 32

WIDE = {"none": (1, 1), "activations": (2, 1), "weights": (1, 2), "both": (2, 2)}
"""Digits of activation and weight codes by the name of the choice."""

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("linear")
@config_option
@click.option("--weight", type=_FILE, required=True, help="W, .npy, [N, K].")
@click.option(
    "--input", "input_", type=_FILE, required=True, help="X, .npy, [T, K]; NaN and infinity are allowed."
)
@click.option("--bias", type=_FILE, help="b, .npy, [N].")
@click.option(
    "--calibration", type=_FILE, help="Activations [*, K] to choose the smoothing on; default: X itself."
)
@click.option(
    "--rank",
    type=click.IntRange(min=0),
    help=f"Rank of the low-rank path; at most min(N, K) is used.  [default: {DEFAULT_RANK}, or less for small layers]",
)
@click.option(
    "--wide",
    type=click.Choice(WIDE),
    default="none",
    show_default=True,
    help="Which codes have twice the bits (INT8), taken in two passes; rmc.*_passes of the configuration allow it.",
)
@click.option(
    "--engine",
    type=click.Choice(["golden", "rtl"]),
    default="rtl",
    show_default=True,
    help="golden: the PyTorch model. rtl: the Verilog in Verilator too, compared bit for bit.",
)
@click.option("--output", type=_FILE, required=True, help="Y, written as .npy, [T, N].")
@click.option("--report", type=_FILE, help="Figures, written as JSON.")
@click.option("--dump", type=_FILE, help="Codes, shifts, scales and factors, written as .npz.")
def command(
    config: Config,
    weight: Path,
    input_: Path,
    bias: Path | None,
    calibration: Path | None,
    rank: int | None,
    wide: str,
    engine: str,
    output: Path,
    report: Path | None,
    dump: Path | None,
) -> None:
    """Quantize the layer Y = X W^T + b and compute it, bit-exactly by docs/numerics.md.

    Nothing is written unless everything succeeds. With --engine rtl the exit code is 1 if a single bit differs from the
    golden model.

    \b
    Example:
      sevedo linear --config tiny --weight W.npy --input X.npy --bias b.npy --rank 16 \\
          --output Y.npy --report report.json --dump dump.npz
    """
    from sevedo.gen.files import read_array, write_atomically

    outputs = {"output": output, "report": report, "dump": dump}
    given = [weight, input_, bias, calibration, click.get_current_context().meta.get(CONFIG_FILE)]
    _check_paths({name: path for name, path in outputs.items() if path is not None}, [p for p in given if p])
    w = read_array(weight, "weight", 2)
    x = read_array(input_, "input", 2)
    b = read_array(bias, "bias", 1) if bias else None
    c = read_array(calibration, "calibration", 2) if calibration else None
    _check_shapes(w.shape, x.shape, b.shape if b is not None else None, c.shape if c is not None else None)

    import torch

    from sevedo.ref.linear import quantize_linear
    from sevedo.ref.metrics import exact_linear, relative_error

    tokens, inputs, outputs_n = x.shape[0], w.shape[1], w.shape[0]
    used = min(DEFAULT_RANK if rank is None else rank, outputs_n, inputs)
    if rank is None:
        used = min(used, config.lvc.max_rank)
    config.check_layer(tokens, inputs, outputs_n, used)
    if rank is not None and used < rank:
        click.echo(
            f"sevedo: note: rank={rank} is more than a {outputs_n} x {inputs} weight has; {used} is used",
            err=True,
        )

    passes = {"activation": config.rmc.activation_passes, "weight": config.rmc.weight_passes}
    for (side, most), digits in zip(passes.items(), WIDE[wide], strict=True):
        if digits > most:
            raise UserError(f"wide={wide} needs rmc.{side}_passes=2; the configuration has {most}")
    weight_t, input_t = torch.from_numpy(w), torch.from_numpy(x)
    bias_t = torch.from_numpy(b) if b is not None else None
    try:
        layer = quantize_linear(
            weight_t,
            bias_t,
            torch.from_numpy(c) if c is not None else input_t,
            config,
            used,
            activation_digits=WIDE[wide][0],
            weight_digits=WIDE[wide][1],
        )
        prepared = layer.prepare(input_t)
    except ValueError as error:
        raise UserError(str(error)) from None
    trace = layer.compute(prepared)
    figures: dict[str, Any] = {
        "schema": 1,
        "engine": engine,
        "tokens": tokens,
        "inputs": inputs,
        "outputs": outputs_n,
        "rank": layer.rank,
        "wide": wide,
        "macs": tokens * inputs * outputs_n,
        "bit_exact": None,
        "cycles": None,
        "utilization": None,
        "relative_error": _finite(relative_error(trace.output, exact_linear(input_t, weight_t, bias_t))),
        "configuration": config.model_dump(),
    }
    bits = trace.output_bits
    if engine == "rtl":
        bits = _simulate(layer, prepared, trace, figures)

    from sevedo.ref.rounding import decode

    data = config.numbers.data_format
    values = (
        decode(torch.as_tensor(bits), data).numpy().astype("float16" if data.name == "fp16" else "float32")
    )
    import numpy as np

    writers: dict[Path, Callable[[IO[bytes]], object]] = {output: lambda file: np.save(file, values)}
    if report is not None:
        text = json.dumps(figures, indent=2) + "\n"
        writers[report] = lambda file: file.write(text.encode())
    if dump is not None:
        arrays = dump_arrays(layer, prepared)
        writers[dump] = lambda file: np.savez_compressed(file, **arrays)
    _summarize(figures)
    sys.stdout.flush()  # a full device must stop us before anything is written
    write_atomically(writers)
    if figures["bit_exact"] is False:
        raise SystemExit(1)


def dump_arrays(layer: QuantizedLinear, inputs: LayerInputs) -> dict[str, Any]:
    """Everything that the residual and low-rank paths compute with.

    A value is ``codes * scales``, a scale for every `coarse` values of a row; with scheme hgq times ``2**-shifts``,
    with vs-quant times ``integer_scales``, one of these for every `fine` values (both groups count from k = 0; the
    last of a row may be shorter). x is divided by `smooth` before it is quantized
    and before it meets `v`; in bits, it is multiplied by `multiplier`, whose reciprocal `smooth` is.
    """
    from sevedo.hw.core.payloads import FINE_FIELD

    k, groups = layer.inputs, layer.config.groups
    arrays: dict[str, Any] = {}
    for name, tensor in (("x", inputs.quantized), ("w", layer.weight)):
        arrays[f"{name}_codes"] = tensor.codes[:, :k].numpy()
        if field := FINE_FIELD[tensor.scheme.level]:
            # Signed, so that ``2.0 ** -shifts`` does what it says.
            arrays[f"{name}_{field}"] = tensor.fine[:, : -(-k // groups.fine)].numpy().astype("int16")
        arrays[f"{name}_scales"] = tensor.scales.numpy()
    for name, values in (
        ("smooth", layer.smooth),
        ("multiplier", layer.multiplier),
        ("u", layer.u),
        ("v", layer.v),
        ("bias", layer.bias),
    ):
        arrays[name] = values.numpy()
    numbers = layer.config.numbers
    return arrays | {
        "scheme": groups.scheme,
        "fine": groups.fine,
        "coarse": groups.coarse,
        "x_code_bits": numbers.activation_bits * inputs.quantized.scheme.digits,
        "w_code_bits": numbers.weight_bits * layer.weight.scheme.digits,
        "x_fine_bits": groups.activation_fine_bits,
        "w_fine_bits": groups.weight_fine_bits,
        "data_format": numbers.data,
        "scale_format": groups.scale_format.name,
    }


def _simulate(layer: QuantizedLinear, inputs: LayerInputs, trace: LayerTrace, figures: dict[str, Any]) -> Any:
    """Run the layer in Verilator, fill in its figures, and return the output bits."""
    from sevedo.gen.progress import progress
    from sevedo.sim.layer import RtlCore

    core = RtlCore.build(layer.config)
    with progress(core.beats(layer, inputs), "simulating") as advance:
        run = core.run(layer, inputs, progress=advance)
    figures["bit_exact"] = bool((run.output_bits == trace.output_bits).all())
    figures["cycles"] = run.cycles
    figures["utilization"] = run.utilization
    return run.output_bits


def _check_paths(outputs: dict[str, Path], inputs: list[Path]) -> None:
    from sevedo.gen.files import check_output

    for name, path in outputs.items():
        check_output(path, name)
        others = [other for key, other in outputs.items() if key != name]
        if os.path.realpath(path) in map(os.path.realpath, others):
            raise UserError(f"{name}={path} is named twice; every output must have its own file")
        for source in inputs:
            if path.exists() and source.exists() and path.samefile(source):
                raise UserError(f"{name}={path} is also an input; it must be another file")


def _check_shapes(
    w: tuple[int, ...], x: tuple[int, ...], b: tuple[int, ...] | None, c: tuple[int, ...] | None
) -> None:
    if x[1] != w[1]:
        raise UserError(f"input has shape {x} and weight {w}; both must have the same K (second dimension)")
    if b is not None and b[0] != w[0]:
        raise UserError(f"bias has shape {b} and weight {w}; bias must have N = {w[0]} entries")
    if c is not None and c[1] != w[1]:
        raise UserError(
            f"calibration has shape {c} and weight {w}; both must have the same K (second dimension)"
        )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _summarize(figures: dict[str, Any]) -> None:
    line = f"T={figures['tokens']} K={figures['inputs']} N={figures['outputs']} rank={figures['rank']}"
    error = figures["relative_error"]
    line += f"  relative error {error:.4f}" if error is not None else "  relative error undefined"
    if figures["engine"] == "rtl":
        line += f"  bit-exact {'yes' if figures['bit_exact'] else 'NO'}  {figures['cycles']} cycles"
        line += f"  utilization {figures['utilization']:.1%}"
    click.echo(line)
