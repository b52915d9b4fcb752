"""A whole board, from pin to pin: the top level of its bitstream, the host library, the golden machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from board_runs import icebreaker, minilm_slice, simulate, ulx3s
from small_processor import small_config

from sevedo.gen.config import preset


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("board")
    minilm_slice(found, small_config(), 96, 12, 4)
    return found


@pytest.mark.parametrize(
    "testcase", ["runs_a_layer", pytest.param("survives_what_comes", marks=pytest.mark.board)]
)
def test_small_board(folder: Path, testcase: str) -> None:
    """A slice of a real layer of MiniLM, bit for bit; then all that can go wrong."""
    assert simulate(ulx3s(small_config(), 16), folder, testcase) == 1


@pytest.mark.parametrize(("inputs", "outputs"), [(40, 2), pytest.param(160, 6, marks=pytest.mark.board)])
def test_array_alone(tmp_path: Path, inputs: int, outputs: int) -> None:
    """The board of the iCE40 UP5K: residual sums through its serial pins, the rest by the host."""
    config = preset("mini")
    minilm_slice(tmp_path, config, inputs, outputs, 2)
    assert (
        simulate(icebreaker(config), tmp_path, "gives_residual_sums", tiles=2 * outputs, self_test_us=20_000)
        == 1
    )
