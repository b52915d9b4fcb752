"""docs/artefact.md: its table of tensors is the code's, its worked example is what the code writes, byte by byte."""

from __future__ import annotations

import json
import re
from pathlib import Path

import torch

from sevedo.gen.config import preset
from sevedo.ref.artefact import Artefact, load, save
from sevedo.ref.artefact.layout import LayerSizes, expected
from sevedo.ref.classes import IntegerClass
from sevedo.ref.grouped import GroupedTensor, GroupScheme
from sevedo.ref.linear import QuantizedLinear

PAGE = Path(__file__).parents[3] / "docs" / "artefact.md"
CONFIG = preset("tiny").replace(
    groups__fine=2, groups__coarse=4, groups__activation_shift_bits=2, groups__weight_shift_bits=1, rmc__lanes=2,
    lvc__int8_ranks=0, lvc__int4_ranks=3,
)  # fmt: skip


def example() -> QuantizedLinear:
    """The page's layer: K = 6, N = 2, rank 1, and 3 ranks in INT4."""
    scheme = GroupScheme.weights(CONFIG)

    def rows(codes: list[list[int]], fine: list[list[int]], scales: list[list[float]]) -> GroupedTensor:
        found = torch.tensor(codes, dtype=torch.int8), torch.tensor(fine, dtype=torch.uint8)
        return GroupedTensor(*found, torch.tensor(scales, dtype=torch.float64), 6, scheme)

    weight = rows(
        [[1, -2, 3, -4, 5, -6, 0, 0], [7, -7, 0, 1, -1, 2, 0, 0]],
        [[0, 1, 1, 0], [1, 1, 0, 0]],
        [[0.5, 0.25], [1, 2]],
    )
    v = rows(
        [[1, 0, 0, 0, 0, 0, 0, 0], [0, 2, 0, 0, 0, 0, 0, 0], [0, 0, 3, 0, 0, 7, 0, 0]],
        [[0, 0, 0, 0]] * 3,
        [[1, 0], [1, 0], [1, 0.5]],
    )
    part = IntegerClass(
        v=v,
        u=torch.tensor([[1, -2, 3], [-7, 0, 7]], dtype=torch.int8),
        scales=torch.tensor([0.25, 2], dtype=torch.float64),
    )
    return QuantizedLinear(
        CONFIG,
        weight,
        torch.tensor([[1.5], [-2]], dtype=torch.float64),
        torch.tensor([[0, 1, 2, 3, 4, 5]], dtype=torch.float64),
        torch.tensor([1, 1, 0.5, 2, 1, 1], dtype=torch.float64),
        torch.tensor([0.25, -1], dtype=torch.float64),
        GroupScheme.activations(CONFIG),
        (part,),
    )


def dump(path: Path) -> str:
    """The example's block: a line for each tensor, in the order of the file."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    lines = [f"{0:5}  {content[:8].hex(' ')}  length of the header: {length}"]
    lines.append(f"{8:5}  {content[8:16].hex(' ')} ...  the header, JSON, spaces at its end")
    tensors = [(e["data_offsets"], name, e) for name, e in header.items() if name != "__metadata__"]
    for (start, end), name, entry in sorted(tensors):
        at = 8 + length + start
        raw = content[at : 8 + length + end].hex(" ")
        lines.append(f"{at:5}  {raw}  {name} {entry['dtype']} {entry['shape']}")
    assert 8 + length + max(entry[0][1] for entry in tensors) == len(content)
    return "\n".join(lines)


def test_the_example_is_what_the_code_writes(tmp_path: Path) -> None:
    path, json_path = save(tmp_path / "example.safetensors", Artefact(CONFIG, {"fc": example()}))
    blocks = re.findall(r"```text\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    assert dump(path) in blocks, dump(path)
    entry = json.loads(json_path.read_text())["layers"]["fc"]
    assert json.dumps(entry) in blocks, json.dumps(entry)
    found = load(path).layers["fc"]
    x = torch.randn(5, 6).double()
    assert torch.equal(found.run(x).output_bits, example().run(x).output_bits)


def test_the_table_has_every_tensor() -> None:
    rows = [line.split("|")[1:3] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    named = {name for cell, _ in rows for name in re.findall(r"`([\w.]+)`", cell)}
    sizes = LayerSizes(6, 2, 1, 2, 3, 1, 1)
    tensors = expected(sizes, CONFIG.replace(lvc__int8_ranks=2))
    assert len(tensors) == 17
    assert set(tensors) <= named
    # The numbers of the example that the page works out by hand.
    weight = example().weight
    assert weight.dequantize().tolist()[0] == [0.5, -1.0, 0.75, -1.0, 0.625, -0.75]
