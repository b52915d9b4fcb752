"""A whole board, from pin to pin: the top level of its bitstream, the host library, the golden machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from board_runs import minilm_slice, simulate, ulx3s
from small_processor import small_config


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
