"""The golden model against the contract written a second time (`contract_oracle`), bit for bit."""

from __future__ import annotations

from collections import Counter

import contract_oracle as oracle
import pytest
from contract_cases import differences, draw_layer

from sevedo.gen.config import SCHEMES

CASES = [draw_layer(seed) for seed in range(300)]


@pytest.fixture(scope="module")
def expectations() -> list[oracle.Results]:
    return [oracle.compute(case) for case in CASES]


def test_golden_equals_contract_on_every_bit(expectations: list[oracle.Results]) -> None:
    wrong = {}
    for seed, (case, expected) in enumerate(zip(CASES, expectations, strict=True)):
        if names := differences(case, expected):
            wrong[seed] = names
    assert wrong == {}


def test_vectors_are_neither_constant_nor_saturated(expectations: list[oracle.Results]) -> None:
    outputs = [bits for expected in expectations for row in expected.output for bits in row]
    codes = [code for expected in expectations for row in expected.x for code in row.codes]
    finite = [
        case.config.numbers.data_format.decode(bits).kind.value
        for case, expected in zip(CASES, expectations, strict=True)
        for row in expected.output
        for bits in row
    ]
    assert len(outputs) > 1000
    assert len(set(outputs)) > len(outputs) // 2
    assert finite.count("finite") > len(finite) // 2
    assert finite.count("nan") > 50
    assert finite.count("infinite") > 5
    assert codes.count(0) < len(codes) * 0.6
    assert len(set(codes)) > 240


def test_results_do_not_depend_on_the_array(expectations: list[oracle.Results]) -> None:
    for case, expected in zip(CASES[:40], expectations[:40], strict=True):
        other = case.config.replace(
            rmc__rows=3, rmc__cols=5, lvc__lanes=15, lvc__max_rank=9, limits__tokens=100
        )
        moved = oracle.Operands(
            other, case.x, case.multiplier, case.w, case.u, case.v, case.bias, case.digits
        )
        assert differences(moved, expected) == []


def test_all_schemes_and_digits_are_drawn() -> None:
    drawn = Counter((str(case.config.groups.scheme), case.digits) for case in CASES)
    digits = [(1, 1), (2, 1), (1, 2), (2, 2)]
    counts = [[drawn[scheme, pair] for pair in digits] for scheme in SCHEMES]
    assert min(min(row) for row in counts) >= 1
    assert min(sum(row) for row in counts) >= 25
