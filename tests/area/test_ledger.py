"""The ledger of areas: every figure within 2 % of what is written down, and how a change is accepted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import accept as accept_module
import ledger
import pytest

from sevedo.sim.toolchain import build_folder


def _check(after: ledger.Entries) -> None:
    found = ledger.differences(ledger.load()["figures"], after)
    failing = [one for one in found if not one.passes]
    print(ledger.shown(found))
    assert not failing, (
        f"\n{ledger.shown(failing)}\nareas changed by more than {ledger.TOLERANCE:.0%}; "
        'accept them, better or worse, by: make area-accept REASON="why"'
    )


def test_areas_in_generic_gates() -> None:
    after = ledger.measure(build_folder() / "synth")
    assert len(after) == sum(map(len, ledger.UNITS.values()))
    _check(after)


@pytest.mark.skipif(
    not os.environ.get("SEVEDO_LIBERTY"), reason="SEVEDO_LIBERTY names no library to check areas in"
)
def test_areas_in_a_library() -> None:
    library = ledger.libraries()
    assert library is not None
    _check(ledger.measure(build_folder() / "synth", library))


def test_a_change_past_two_percent_fails_and_is_shown() -> None:
    before = {"tiny/pe": {"gate_equivalents": 1000.0, "flip_flops": 10}}
    small = ledger.differences(before, {"tiny/pe": {"gate_equivalents": 1019.0, "flip_flops": 10}})
    assert all(one.passes for one in small)
    for now in 1021.0, 979.0:
        [large] = ledger.differences(before, {"tiny/pe": {"gate_equivalents": now}})
        assert not large.passes
        assert "FAILS" in ledger.shown([large])
        assert f"{(now - 1000) / 1000:+.2%}" in ledger.shown([large])
    [missing] = ledger.differences(before, {"tiny/csu": {"gate_equivalents": 5.0}})
    assert not missing.passes


def test_accepting_needs_a_reason_and_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = {"tiny/pe": {"gate_equivalents": 1000.0}}
    monkeypatch.delenv("SEVEDO_LIBERTY", raising=False)
    monkeypatch.setattr(ledger, "measure", lambda *arguments, **options: figures)
    path = tmp_path / "ledger.json"
    assert accept_module.main("  ", path) == 2
    assert not path.exists()
    assert "REASON must say why" in capsys.readouterr().err
    assert accept_module.main("first figures", path) == 0
    figures = {"tiny/pe": {"gate_equivalents": 1100.0}}
    assert accept_module.main("rounding has a stage more", path) == 0
    book = json.loads(path.read_text())
    assert book["figures"] == figures
    assert [entry["reason"] for entry in book["accepted"]] == ["first figures", "rounding has a stage more"]
    assert book["accepted"][1]["changes"] == ["tiny/pe gate_equivalents: 1,000 -> 1,100"]
    before = path.read_bytes()
    assert accept_module.main("nothing new", path) == 0
    assert path.read_bytes() == before
