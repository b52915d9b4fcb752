"""A whole board, from pin to pin: the top level of its bitstream, the host library, the golden machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from board_runs import save, simulate, ulx3s
from small_processor import good_program, small_config


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("board")
    good = good_program(small_config(), 1, 3)
    save(found, good.compiled, good.data, good.wanted)
    return found


@pytest.mark.parametrize("testcase", ["runs_a_layer", "survives_what_comes"])
def test_small_board(folder: Path, testcase: str) -> None:
    assert simulate(ulx3s(small_config(), 16), folder, testcase) == 1
