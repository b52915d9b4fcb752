"""Grids: what they are read from, their points, and every mistake as one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sevedo.gen.config import Config, preset
from sevedo.gen.sweep.errors import SweepError
from sevedo.gen.sweep.grid import MAX_POINTS, Axis, Grid, change
from sevedo.gen.sweep.spec import Spec


def test_every_combination_the_last_axis_fastest() -> None:
    axes = Axis.parse("rmc.cols=2,4"), Axis.parse("groups.scheme=hgq,mx")
    points = list(Grid(preset("tiny"), axes).points())
    assert [point.settings for point in points] == [
        (("rmc.cols", cols), ("groups.scheme", scheme)) for cols in (2, 4) for scheme in ("hgq", "mx")
    ]
    made = [point.config for point in points if point.config is not None]
    assert [(each.rmc.cols, each.groups.scheme) for each in made] == [
        (2, "hgq"),
        (2, "mx"),
        (4, "hgq"),
        (4, "mx"),
    ]
    assert points[1].label == "rmc.cols=2, groups.scheme=mx"


def test_fields_change_together_and_rules_are_looked_at_only_then() -> None:
    (axis,) = Spec.load(_file("[grid]\n'rmc.rows+lvc.lanes' = [[2, 4], [8, 16], [8, 12]]")).axes
    assert axis == Axis.parse("rmc.rows+lvc.lanes=2+4,8+16,8+12")
    points = list(Grid(preset("tiny"), (axis,)).points())
    sizes = [None if p.config is None else (p.config.rmc.rows, p.config.lvc.lanes) for p in points]
    assert sizes == [(2, 4), (8, 16), None]
    assert points[2].rule == "lvc.lanes=12 must be a multiple of rmc.rows=8"


@pytest.mark.parametrize(
    ("grid", "rule"),
    [
        ("rmc.rows=0", "rmc.rows=0 must be greater than or equal to 1"),
        ("rmc.rows=three", "rmc.rows='three' must be a valid integer"),
        ("groups.scheme=best", "groups.scheme='best' must be one of hgq, "),
        ("groups.coarse=72", "groups.coarse=72 must be a multiple of groups.fine=16"),
    ],
)
def test_a_point_that_is_no_configuration_knows_the_rule(grid: str, rule: str) -> None:
    (point,) = Grid(preset("tiny"), (Axis.parse(grid),)).points()
    assert point.config is None
    assert point.rule.startswith(rule)


def test_a_field_that_a_scheme_has_not_breaks_a_rule_there_alone() -> None:
    axes = Axis.parse("groups.scheme=hgq,mx"), Axis.parse("groups.activation_shift_bits=2,3")
    points = list(Grid(preset("tiny"), axes).points())
    assert [point.config is not None for point in points] == [True, True, False, False]
    assert "activation_shift_bits=2 is not a field of scheme mx" in points[2].rule


def test_a_change_equals_the_configuration_written_so() -> None:
    base = preset("core")
    assert change(base, {"groups.scheme": "vs-quant", "rmc.cols": 8}) == base.with_scheme("vs-quant").replace(
        rmc__cols=8
    )
    values = base.model_dump()
    values["numbers"]["data"] = "bf16"
    assert change(base, {"numbers.data": "bf16"}) == Config.parse(values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rmc.rowz=2", "grid field rmc.rowz is not a field of a configuration; near: rmc.rows"),
        ("zzzzzz=2", "grid field zzzzzz is not a field of a configuration; it must be section.field"),
        ("rmc.rows", "grid=rmc.rows must be FIELD=VALUE,VALUE,..."),
        ("rmc.rows=", "grid=rmc.rows= must be FIELD=VALUE,VALUE,..."),
        ("rmc.rows=2+3", "grid rmc.rows: [2, 3] must be 1 value(s), one for each field"),
        ("rmc.rows+rmc.cols=2", "must be 2 value(s), one for each field"),
        ("rmc.rows+rmc.rows=2+2", "a field must stand in it once"),
    ],
)
def test_a_wrong_axis_is_told_in_one_line(text: str, message: str) -> None:
    with pytest.raises(SweepError) as told:
        Axis.parse(text)
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_too_many_points_and_a_field_in_two_axes() -> None:
    large = Axis(("limits.tokens",), tuple((n,) for n in range(1, 400)))
    wide = Axis(("limits.inputs",), tuple((n,) for n in range(1, 400)))
    with pytest.raises(SweepError, match=f"has 159201 points; it must have at most {MAX_POINTS}"):
        Grid(preset("tiny"), (large, wide))
    with pytest.raises(SweepError, match="is given twice"):
        Grid(preset("tiny"), (Axis.parse("rmc.rows=2"), Axis.parse("rmc.rows+lvc.lanes=2+4")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models = 3", "models must be a list"),
        ("blocks = ['a']", "every entry of blocks must be a number"),
        ("tokens = true", "tokens must be a whole number"),
        ("gird = 1", "gird is not a field; it must be one of config, "),
        ("[grid]\n'rmc.rows' = []", "must have a list of one value or more"),
        ("[grid]\n'rmc.rows' = [{a = 1}]", "must be plain values"),
        ("a = ", "must be TOML"),
    ],
)
def test_a_wrong_sweep_file_is_told_in_one_line(text: str, message: str) -> None:
    with pytest.raises(SweepError) as told:
        Spec.load(_file(text))
    assert message in str(told.value)


def test_options_go_over_the_file() -> None:
    file = Spec.load(
        _file("config = 'tiny'\nmodels = ['minilm']\n[grid]\nrmc.rows = [2, 4]\n'rmc.cols' = [2]")
    )
    said = Spec(models=("vit-base",), axes=(Axis.parse("rmc.cols=4,8"), Axis.parse("groups.coarse=32")))
    both = said.over(file)
    assert (both.config, both.models) == ("tiny", ("vit-base",))
    assert both.axes == (
        Axis.parse("rmc.rows=2,4"),
        Axis.parse("rmc.cols=4,8"),
        Axis.parse("groups.coarse=32"),
    )


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _file(text: str) -> Path:
    path = Path("sweep.toml")
    path.write_text(text)
    return path
