"""Deliberate faults in the golden model: the comparison with the contract must see every one."""

from __future__ import annotations

from collections.abc import Callable

import contract_oracle as oracle
import pytest
import torch
from contract_cases import differences, draw_layer

from sevedo.gen.config import Rounding
from sevedo.ref import linear, lowrank, residual, rounding, rows
from sevedo.ref.grouped import GroupedTensor, GroupScheme
from sevedo.ref.quantizers import base, mx, vs_quant

CASES = [draw_layer(seed) for seed in range(100)]


@pytest.fixture(scope="module")
def expectations() -> list[oracle.Results]:
    return [oracle.compute(case) for case in CASES]


def _half_away(values: torch.Tensor) -> torch.Tensor:
    return torch.where(values < 0, -torch.floor(-values + 0.5), torch.floor(values + 0.5))


def _wrong_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows.torch, "round", _half_away)


def _wrong_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base.Quantizer, "limit", property(lambda self: self.scheme.qmax + 1))


def _wrong_limit_of_two_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base.Quantizer, "limit", property(lambda self: self.scheme.qmax + 2))


def _wrong_mx_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    def leading(self: mx.MxQuantizer, groups: torch.Tensor) -> torch.Tensor:
        """The rule that the specification shows."""
        divisor = 1 << (self.scheme.qmax.bit_length() - 1)
        peaks = groups.abs().amax(dim=(2, 3))
        return rounding.round_to(peaks / divisor, self.scheme.scale, Rounding.TOWARD_ZERO)

    monkeypatch.setattr(mx.MxQuantizer, "scales", leading)


def _wrong_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vs_quant.torch, "ceil", torch.floor)


def _wrong_integer_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    def scales(self: vs_quant.VsQuantizer, groups: torch.Tensor) -> torch.Tensor:
        return self.rounded_scales(groups, self.scheme.qmax * (self.scheme.largest_number + 1))

    monkeypatch.setattr(vs_quant.VsQuantizer, "scales", scales)


def _wrong_qmax(monkeypatch: pytest.MonkeyPatch) -> None:
    """The codes of plain INT8, whose digits do not fit 4 bits."""
    right = GroupScheme.qmax.fget  # type: ignore[attr-defined]
    widest = property(lambda self: right(self) if self.digits == 1 else (1 << (2 * self.code_bits - 1)) - 1)
    monkeypatch.setattr(GroupScheme, "qmax", widest)


def _wrong_scale_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    def truncate(values, fmt, mode=Rounding.TOWARD_ZERO):
        return rounding.round_to(values, fmt, Rounding.TOWARD_ZERO)

    monkeypatch.setattr(base, "round_to", truncate)


def _wrong_plain_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GroupScheme, "plain_number", 0)


def _wrong_group_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def backwards(x: GroupedTensor, w: GroupedTensor) -> torch.Tensor:
        y = torch.zeros(x.rows, w.rows)
        places = 2.0 ** -(x.scheme.places + w.scheme.places)
        for group, sums in reversed(list(enumerate(residual.accumulators(x, w)))):
            scale = x.scales[:, group, None].float() * w.scales[None, :, group].float()
            y += (sums.float() * places) * scale
        return y

    monkeypatch.setattr(linear, "residual", backwards)


def _wrong_scale_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(x: GroupedTensor, w: GroupedTensor) -> torch.Tensor:
        y = torch.zeros(x.rows, w.rows)
        places = 2.0 ** -(x.scheme.places + w.scheme.places)
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
    "limit of one digit one step lower": (_wrong_limit, "fine"),
    "limit of two digits one step higher": (_wrong_limit_of_two_digits, "fine"),
    "power of two of aligned leading bits": (_wrong_mx_scale, "scales"),
    "integer scales rounded down": (_wrong_integers, "fine"),
    "scale for one integer more": (_wrong_integer_scale, "scales"),
    "two digits to 127": (_wrong_qmax, "codes"),
    "special groups with integer 0": (_wrong_plain_number, "fine"),
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
