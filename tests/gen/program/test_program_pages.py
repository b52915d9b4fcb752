"""docs/instructions.md and docs/image.md are what the descriptions give, and their examples what they say."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from sevedo.gen.config.instructions import INSTRUCTIONS
from sevedo.gen.config.operands import NAMES, operands
from sevedo.gen.program import assemble
from sevedo.gen.program.example import example, example_config, example_layer
from sevedo.gen.program.image_page import BEATS, image_page
from sevedo.gen.program.instructions_page import instructions_page
from sevedo.ref.machine import run
from sevedo.ref.rounding import encode

DOCS = Path(__file__).parents[3] / "docs"


def test_the_pages_are_up_to_date() -> None:
    """If not: sevedo program docs."""
    assert (DOCS / "instructions.md").read_text() == instructions_page()
    assert (DOCS / "image.md").read_text() == image_page()


def test_the_example_is_a_program_that_runs() -> None:
    text = re.findall(r"```text\n(.*?)```", instructions_page(), re.DOTALL)[0]
    compiled, config = example(), example_config()
    code = assemble(text, config)
    assert compiled.image.startswith(code)
    x = torch.tensor([[1.0, -2, 3, 0.5, -0.25, 8], [0, 1, -1, 4, 2, -6]], dtype=torch.float64)
    data = compiled.data({"fc": encode(x, config.numbers.data_format).numpy()})
    report = run(config, compiled.image, data)
    assert report.done
    expected = example_layer(config).run(x).output_bits
    assert (compiled.outputs(data)["fc"] == expected.numpy()).all()
    assert len(expected.unique()) == 4


def test_the_example_of_the_image_shows_every_operand_of_its_layer() -> None:
    page, compiled = image_page(), example()
    block = re.findall(r"```text\n(.*?)```", page, re.DOTALL)[0]
    for name in operands(compiled.config):
        assert f"  {name}, " in block
    for line in block.splitlines()[1:-1]:
        place, raw, _ = re.fullmatch(r" *(\d+)  ([0-9a-f ]+)  (.*)", line).groups()  # type: ignore[union-attr]
        content = bytes.fromhex(raw.replace(" ", ""))
        assert compiled.image[int(place) : int(place) + len(content)] == content
    assert set(BEATS) == set(NAMES)


def test_every_field_is_explained() -> None:
    page = instructions_page()
    for instruction in INSTRUCTIONS:
        assert f"## {instruction.name}\n" in page
        for field in instruction.fields:
            assert re.search(rf"\| `{field.name}` \| \S", page)
