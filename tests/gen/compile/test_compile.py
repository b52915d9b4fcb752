"""The compiler: what it makes runs on the Python machine as the golden model computes, in every configuration."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
import torch
from layers import activations, layer
from programs import check_layers, execute, processor_config, random_layers

from sevedo.gen.compile import CompileError, compile_layers
from sevedo.gen.config import Config, ConfigError, preset
from sevedo.gen.config.instructions import INSTRUCTION_BYTES, Unit, decode
from sevedo.gen.config.operands import NAMES, operands
from sevedo.ref.linear import QuantizedLinear, quantize_linear

TINY = preset("tiny")


def instructions(compiled) -> list[tuple[str, dict[str, int]]]:
    """Names and fields of a program."""
    found = []
    for number in range(compiled.instructions):
        place = compiled.program + number * INSTRUCTION_BYTES
        instruction, fields, excess = decode(compiled.image[place : place + INSTRUCTION_BYTES])
        assert instruction is not None
        assert not excess
        found.append((instruction.name, fields))
    return found


@pytest.mark.parametrize("seed", range(16))
def test_programs_of_any_configuration_compute_what_the_golden_model_does(seed: int) -> None:
    config = processor_config(seed)
    layers, x = random_layers(config, seed, 3)
    compiled = check_layers(layers, x, config)
    assert len(compiled.layers) == 3


@pytest.mark.parametrize("tokens", [1, 3, 4, 5, 13])
@pytest.mark.parametrize("name", ["tiny", "core"])
def test_any_number_of_tokens(name: str, tokens: int) -> None:
    config = preset(name)
    layers = {f"fc{n}": layer(config, (tokens, 70 + 9 * n, 37, 6), seed=n)[0] for n in range(2)}
    x = {f"fc{n}": activations(tokens, 70 + 9 * n, "outliers", n) for n in range(2)}
    compiled = check_layers(layers, x, config)
    tiles = -(-tokens // config.rmc.cols)
    assert [len(each.instructions) for each in compiled.layers] == [tiles, tiles]
    assert sum(name == "STORE" for name, _ in instructions(compiled)) == 2 * tiles


def test_layers_that_share_their_input_load_it_once() -> None:
    layers = {name: layer(TINY, (6, 64, 9, 3), seed=n)[0] for n, name in enumerate("qkv")}
    x = activations(6, 64, "normal", 5)
    compiled = compile_layers(layers, TINY, 6, shares={"k": "q", "v": "q"})
    assert list(compiled.inputs) == ["q"]
    report, _, outputs = execute(compiled, {"q": x})
    assert report.done
    for name, each in layers.items():
        assert (outputs[name] == each.run(x).output_bits.numpy()).all()
    loads = [fields["target"] for name, fields in instructions(compiled) if name == "LOAD"]
    assert loads.count(0) == 2  # one for each of two column tiles
    assert loads.count(1) == 6


def tame_layer(inputs: int, outputs: int, seed: int) -> QuantizedLinear:
    """A layer whose outputs are about as large as its inputs."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64) / inputs**0.5
    return quantize_linear(weight, None, activations(8, inputs, "normal", seed), TINY, 3, int4_rank=2)


def test_a_chain_of_layers_runs_without_the_host() -> None:
    sizes = [40, 24, 33, 17, 24, 40, 12]
    layers = {f"fc{n}": tame_layer(k, m, n) for n, (k, m) in enumerate(pairwise(sizes))}
    chains = {f"fc{n}": f"fc{n - 1}" for n in range(1, len(layers))}
    x = activations(9, 40, "normal", 5)
    compiled = compile_layers(layers, TINY, 9, chains=chains)
    assert list(compiled.inputs) == ["fc0"]
    report, machine, outputs = execute(compiled, {"fc0": x})
    assert report.done
    assert not any(machine.tokens)
    for name, each in layers.items():
        trace = each.run(x)
        assert (outputs[name] == trace.output_bits.numpy()).all()
        x = trace.output
    assert len(set(outputs["fc5"].ravel().tolist())) > 50


def test_many_outputs_that_are_read_much_later() -> None:
    first = {f"a{n}": layer(TINY, (2, 20, 20, 0), seed=n)[0] for n in range(20)}
    second = {f"b{n}": layer(TINY, (2, 20, 6, 2), seed=n)[0] for n in range(20)}
    x = {name: activations(2, 20, "normal", n) for n, name in enumerate(first)}
    compiled = compile_layers(first | second, TINY, 2, chains={f"b{n}": f"a{n}" for n in range(20)})
    report, _, outputs = execute(compiled, x)
    assert report.done, str(report)
    for n in range(20):
        expected = second[f"b{n}"].run(first[f"a{n}"].run(x[f"a{n}"]).output).output_bits
        assert (outputs[f"b{n}"] == expected.numpy()).all()


def test_the_next_layer_is_loaded_ahead_where_both_fit() -> None:
    """Without the tokens of the layer before; where memory is short, with them."""
    for kib, waits in ((64, 0), (1, 1)):
        config = TINY.replace(memory__iomem_kib=kib)
        layers = {f"fc{n}": layer(config, (4, 100, 4, 0), seed=n)[0] for n in range(2)}
        listed = instructions(compile_layers(layers, config, 4))
        rows = [f for name, f in listed if name == "LOAD" and f["target"] == 0]
        assert bin(rows[-1]["wait"]).count("1") == waits


def test_tokens_are_given_before_they_are_waited_for() -> None:
    """No instruction waits for one behind it, so that a full queue cannot stop the program."""
    layers, _ = random_layers(TINY, 3, 6)
    given: dict[int, int] = dict.fromkeys(range(8), 0)
    listed = instructions(compile_layers(layers, TINY, 9))
    for _, fields in listed:
        for kind in given:
            given[kind] -= fields.get("wait", 0) >> kind & 1
            assert given[kind] >= 0
            given[kind] += fields.get("give", 0) >> kind & 1
    assert not any(given.values())
    assert {fields["unit"] for name, fields in listed if name == "SYNC"} <= set(Unit)


@pytest.mark.parametrize("seed", range(12))
def test_operands_that_come_first_in_a_bundle_never_wait_for_the_last(seed: int) -> None:
    config = processor_config(seed)
    layers, _ = random_layers(config, seed, 2)
    known = operands(config)
    for name, fields in instructions(compile_layers(layers, config, 3)):
        if name == "STREAM":
            counts = {each: fields[f"count_{each}"] for each in NAMES if fields[f"count_{each}"]}
            *before, _ = counts
            assert all(counts[each] <= known[each].depth for each in before)


def refused(
    config: Config, shape: tuple[int, int, int, int], made: Config | None = None, **options: int
) -> str:
    quantized = layer(made or config, shape)[0]
    with pytest.raises((CompileError, ConfigError)) as error:
        compile_layers({"fc": quantized}, config, options.get("tokens", shape[0]))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_the_processor_cannot_run_is_refused() -> None:
    wide = TINY.replace(memory__inputs=64)
    assert "layer fc: inputs K=65 must be at most memory.inputs=64" in refused(wide, (1, 65, 4, 0))
    small = TINY.replace(memory__iomem_kib=1, memory__inputs=200)
    assert "layer fc: inputs K=129 need 9 rows of IOMEM; memory.iomem_kib=1 has 8" in refused(
        small, (1, 129, 4, 0)
    )
    rank = TINY.replace(lvc__max_rank=3)
    assert "layer fc: rank=4 must be at most lvc.max_rank=3" in refused(rank, (1, 16, 8, 4), TINY)
    outputs = TINY.replace(limits__outputs=8)
    assert "layer fc: outputs N=9 must be at most limits.outputs=8" in refused(outputs, (1, 16, 9, 0))
    none = TINY.replace(lvc__int8_ranks=0)
    assert "layer fc: INT8 rank=2 must be at most lvc.int8_ranks=0" in refused(none, (1, 16, 9, 0), TINY)
    groups = TINY.replace(groups__coarse=32)
    assert "layer fc: its numbers and groups must be the configuration's" in refused(
        groups, (1, 16, 9, 0), TINY
    )
    assert "tokens=0 must be between 1 and" in refused(TINY, (1, 16, 9, 0), tokens=0)
    long = TINY.replace(
        groups__fine=1,
        groups__coarse=1,
        rmc__lanes=1,
        memory__inputs=16383,
        lvc__lanes=32,
        memory__iomem_kib=128,
        lvc__int8_ranks=0,
        lvc__int4_ranks=0,
    )
    message = refused(long, (1, 9000, 8, 0))
    assert (
        "layer fc: inputs K=9000 make 18000 beats of w_scale in a bundle; it can have at most 16383"
        in message
    )
    with pytest.raises(ConfigError, match=r"memory\.output_tiles"):
        compile_layers({}, TINY.replace(rmc__rows=2, lvc__lanes=8, memory__output_tiles=1), 1)
    with pytest.raises(CompileError, match="at least one"):
        compile_layers({}, TINY, 1)


def test_wide_layers_need_passes() -> None:
    made = TINY.replace(rmc__activation_passes=2, rmc__weight_passes=2)
    quantized = layer(made, (2, 30, 6, 2), seed=3)[0]
    with pytest.raises(
        CompileError, match=r"layer fc: codes of 2 digits need rmc.activation_passes=2; it is 1"
    ):
        compile_layers({"fc": quantized}, TINY, 2)


def test_sources_must_be_earlier_layers_of_the_right_size() -> None:
    layers = {name: layer(TINY, (2, 20, 9, 0))[0] for name in "ab"}
    for sources, message in (
        ({"chains": {"b": "a"}}, "layer b: inputs K=20 must be the 9 numbers of its source a"),
        ({"shares": {"a": "b"}}, "layer a: its source b must be an earlier layer"),
        ({"chains": {"c": "a"}}, "layer c must be one of the layers"),
    ):
        with pytest.raises(CompileError, match=message):
            compile_layers(layers, TINY, 2, **sources)


def test_equal_layers_give_equal_images() -> None:
    first, second = (random_layers(TINY, 7, 3)[0] for _ in range(2))
    assert compile_layers(first, TINY, 5).image == compile_layers(second, TINY, 5).image
    assert torch.equal(first["fc0"].weight.codes, second["fc0"].weight.codes)


def test_where_two_do_not_fit_free_rows_are_loaded_ahead() -> None:
    """Layers take 6, 12 and 6 rows of 16: the ones that the layer before does not read are loaded while it runs."""
    config = TINY.replace(
        memory__iomem_kib=1, memory__inputs=200, rmc__cols=2, lvc__lanes=8, memory__output_tiles=32
    )
    assert config.iomem_rows == 16
    layers = {f"fc{n}": layer(config, (2, k, 4, 0), seed=n)[0] for n, k in enumerate((90, 187, 85))}
    x = {name: activations(2, each.inputs, "normal", 3) for name, each in layers.items()}
    compiled = check_layers(layers, x, config)
    rows = [f for name, f in instructions(compiled) if name == "LOAD" and f["target"] == 0]
    # The third waits for the first with its multipliers.
    assert [(f["row"], f["inputs"], bin(f["wait"]).count("1")) for f in rows] == [
        (0, 90, 0), (6, 155, 0), (4, 32, 1), (0, 64, 0), (4, 21, 1),
    ]  # fmt: skip
    for turns in range(6):
        report, _, outputs = execute(compiled, x, random.Random(turns))
        assert report.done
        for name, each in layers.items():
            assert (outputs[name] == each.run(x[name]).output_bits.numpy()).all()
