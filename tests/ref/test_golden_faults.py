"""Deliberate faults in the golden model: the comparison with the contract must see every one."""

from __future__ import annotations

from collections.abc import Callable

import contract_oracle as oracle
import pytest
import torch
from contract_cases import differences, draw_layer

from sevedo.ref import hgq, linear, lowrank, residual, rounding
from sevedo.ref.hgq import HgqScheme, HgqTensor

CASES = [draw_layer(seed) for seed in range(60)]


@pytest.fixture(scope="module")
def expectations() -> list[oracle.Results]:
    return [oracle.compute(case) for case in CASES]


def _half_away(values: torch.Tensor) -> torch.Tensor:
    return torch.where(values < 0, -torch.floor(-values + 0.5), torch.floor(values + 0.5))


def _wrong_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    def codes(groups, scales, shifts, scheme):
        usable = (scales > 0) & torch.isfinite(scales)
        steps = groups * 2.0 ** shifts[..., None] / torch.where(usable, scales, 1.0)[..., None, None]
        return torch.where(usable[..., None, None], _half_away(steps).clamp(-scheme.qmax, scheme.qmax), 0.0)

    monkeypatch.setattr(hgq, "_codes", codes)


def _wrong_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HgqScheme, "shift_limit", property(lambda self: self.qmax + 1))


def _wrong_scale_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    def truncate(values, fmt, mode=rounding.Rounding.TOWARD_ZERO):
        return rounding.round_to(values, fmt, rounding.Rounding.TOWARD_ZERO)

    monkeypatch.setattr(hgq, "round_to", truncate)


def _wrong_group_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def backwards(x: HgqTensor, w: HgqTensor) -> torch.Tensor:
        y = torch.zeros(x.rows, w.rows)
        places = 2.0 ** -(x.scheme.max_shift + w.scheme.max_shift)
        for group, sums in reversed(list(enumerate(residual.accumulators(x, w)))):
            scale = x.scales[:, group, None].float() * w.scales[None, :, group].float()
            y += (sums.float() * places) * scale
        return y

    monkeypatch.setattr(linear, "residual", backwards)


def _wrong_scale_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(x: HgqTensor, w: HgqTensor) -> torch.Tensor:
        y = torch.zeros(x.rows, w.rows)
        places = 2.0 ** -(x.scheme.max_shift + w.scheme.max_shift)
        for group, sums in enumerate(residual.accumulators(x, w)):
            y += (sums.float() * places * x.scales[:, group, None].float()) * w.scales[None, :, group].float()
        return y

    monkeypatch.setattr(linear, "residual", twice)


def _wrong_wide_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    right = residual.accumulators
    monkeypatch.setattr(residual, "accumulators", lambda x, w: (sums * 0.998 for sums in right(x, w)))


def _wrong_chain_order(monkeypatch: pytest.MonkeyPatch) -> None:
    right = lowrank.chain
    monkeypatch.setattr(lowrank, "chain", lambda a, b: right(a.flip(1), b.flip(1)))


def _wrong_z(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowrank, "round_to", lambda values, fmt: values)


def _wrong_double_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowrank, "chain", lambda a, b: (a.double() @ b.double().T).float())


def _wrong_input_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    right = linear.round_to
    seen: list[int] = []

    def once(values, fmt):
        seen.append(1)
        return values if len(seen) % 3 == 1 else right(values, fmt)

    monkeypatch.setattr(linear, "round_to", once)


FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "codes round half away": (_wrong_codes, "codes"),
    "shift limit one step lower": (_wrong_limit, "shifts"),
    "scale truncated": (_wrong_scale_rounding, "scales"),
    "coarse groups descending": (_wrong_group_order, "y"),
    "scales multiplied one after the other": (_wrong_scale_order, "y"),
    "accumulators off": (_wrong_wide_sums, "y"),
    "chains descending": (_wrong_chain_order, "low_rank"),
    "z not rounded": (_wrong_z, "low_rank"),
    "chains summed in float64": (_wrong_double_chain, "low_rank"),
    "input rounded once instead of twice": (_wrong_input_rounding, "smoothed"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_seen(
    fault: str, expectations: list[oracle.Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    inject, name = FAULTS[fault]
    inject(monkeypatch)
    seen = [
        names
        for case, expected in zip(CASES, expectations, strict=True)
        if (names := differences(case, expected))
    ]
    assert any(name in names for names in seen), f"fault '{fault}' was not seen"
