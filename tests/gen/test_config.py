"""Configuration: presets load, every mistake is told in one line, and a configuration cannot be changed."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sevedo.gen.config import FP32, Config, ConfigError, preset, preset_names, preset_text
from sevedo.gen.config.design import MAX_CONFIG_BYTES


def changed(field: str, value: Any) -> dict[str, Any]:
    """Preset tiny as nested dictionaries, with one field (or section, or unknown name) set."""
    values = preset("tiny").model_dump()
    *sections, name = field.split(".")
    target = values
    for section in sections:
        target = target[section]
    target[name] = value
    return values


def message(values: Any) -> str:
    """What `Config.parse` answers to a bad configuration."""
    with pytest.raises(ConfigError) as caught:
        Config.parse(values)
    return str(caught.value)


def test_presets_load() -> None:
    assert preset_names() == ["core", "fpga", "tiny"]
    sizes = {
        name: (preset(name).rmc.rows, preset(name).rmc.cols, preset(name).rmc.lanes)
        for name in preset_names()
    }
    assert sizes == {"core": (16, 16, 16), "fpga": (4, 4, 16), "tiny": (4, 4, 16)}
    groups = preset("tiny").groups
    assert (groups.fine, groups.coarse) == (16, 64)


@pytest.mark.parametrize("name", preset_names())
def test_preset_text_is_complete(name: str, tmp_path: Path) -> None:
    copy = tmp_path / "mine.toml"
    copy.write_text(preset_text(name))
    assert Config.load(str(copy)) == Config.load(name) == preset(name)
    assert preset_text(name).startswith(f'# SeVeDo preset "{name}": ')
    assert tomllib.loads(preset_text(name)) == preset(name).model_dump()


def test_every_field_is_described() -> None:
    fields = {
        f"{section}.{name}": field.description
        for section, info in Config.model_fields.items()
        for name, field in info.annotation.model_fields.items()  # type: ignore[union-attr]
    }
    assert len(fields) == 16
    assert all(fields.values())


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("rmc.rows", 0, "rmc.rows=0 must be greater than or equal to 1"),
        ("rmc.rows", 257, "rmc.rows=257 must be less than or equal to 256"),
        ("rmc.rows", "4", "rmc.rows='4' must be a valid integer"),
        ("rmc.rows", 4.0, "rmc.rows=4.0 must be a valid integer"),
        ("rmc.rows", True, "rmc.rows=True must be a valid integer"),
        ("rmc.rows", float("nan"), "rmc.rows=nan must be a valid integer"),
        ("rmc.rows", float("inf"), "rmc.rows=inf must be a valid integer"),
        ("rmc.rows", None, "rmc.rows=None must be a valid integer"),
        ("rmc.rows", [4], "rmc.rows=[4] must be a valid integer"),
        ("numbers.data", "fp32", "numbers.data='fp32' must be 'fp16' or 'bf16'"),
        ("numbers.data", 16, "numbers.data=16 must be 'fp16' or 'bf16'"),
        ("numbers.scale", "fp8", "numbers.scale='fp8' must be 'fp16', 'bf16' or 'e8m0'"),
        ("numbers.activation_bits", 1, "numbers.activation_bits=1 must be greater than or equal to 2"),
        ("numbers.weight_bits", 9, "numbers.weight_bits=9 must be less than or equal to 8"),
        ("groups.weight_shift_bits", -1, "groups.weight_shift_bits=-1 must be greater than or equal to 0"),
        ("groups.activation_shift_bits", 5, "groups.activation_shift_bits=5 must be less than or equal to 4"),
        ("limits.inputs", (1 << 24) + 1, "limits.inputs=16777217 must be less than or equal to 16777216"),
        ("rmc.row", 4, "rmc.row=4 is not a field; it must be one of rows, cols, lanes"),
        (
            "rmx",
            {"rows": 4},
            "rmx={'rows': 4} is not a field; it must be one of numbers, groups, rmc, lvc, limits",
        ),
        ("rmc", 4, "rmc=4 must be a section with fields"),
        ("groups.coarse", 72, "groups.coarse=72 must be a multiple of groups.fine=16"),
        ("groups.coarse", 8, "groups.coarse=8 must be a multiple of groups.fine=16"),
        ("rmc.lanes", 3, "rmc.lanes=3 must divide groups.fine=16"),
        ("rmc.lanes", 32, "rmc.lanes=32 must divide groups.fine=16"),
        ("lvc.lanes", 6, "lvc.lanes=6 must be a multiple of rmc.rows=4"),
        ("lvc.lanes", 2, "lvc.lanes=2 must be a multiple of rmc.rows=4"),
        ("lvc.lanes", 12, "lvc.lanes=12 must be rmc.rows=4 times a divisor of rmc.cols=4"),
        ("lvc.lanes", 32, "lvc.lanes=32 must be rmc.rows=4 times a divisor of rmc.cols=4"),
    ],
)
def test_bad_value_is_named_with_its_rule(field: str, value: Any, expected: str) -> None:
    answer = message(changed(field, value))
    assert answer.startswith(expected)
    assert "\n" not in answer
    assert len(answer) < 200


def test_long_value_is_cut() -> None:
    assert (
        message(changed("rmc.rows", 1 << 40000))
        == "rmc.rows=(too long to show) must be less than or equal to 256"
    )
    assert message(changed("rmc.rows", "x" * 9999)).startswith("rmc.rows='xxxxx")
    assert len(message(changed("rmc.rows", "x" * 9999))) < 120


def test_accumulator_has_a_limit() -> None:
    values = changed("groups.coarse", 65536)
    values["numbers"] |= {"activation_bits": 8, "weight_bits": 8}
    values["groups"] |= {"activation_shift_bits": 4, "weight_shift_bits": 4}
    assert message(values) == (
        "groups.coarse=65536 needs an accumulator of 62 bits; it must need at most 48 (fewer code or shift bits help)"
    )


def test_every_missing_field_is_named() -> None:
    values = preset("tiny").model_dump()
    missing = [(section, None) for section in values]
    missing += [(section, name) for section, fields in values.items() for name in fields]
    answers = []
    for section, name in missing:
        values = preset("tiny").model_dump()
        del (values if name is None else values[section])[name or section]
        answers.append(message(values))
    rule = "is missing; every field must be given (start from a preset: sevedo presets)"
    assert answers == [f"{s} {rule}" if n is None else f"{s}.{n} {rule}" for s, n in missing]


@pytest.mark.parametrize("values", [5, [1], "rows", None])
def test_configuration_must_be_a_table(values: Any) -> None:
    assert message(values) == f"configuration={values!r} must be a section with fields"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        pytest.param(b"rows = = 4", "must be TOML: Invalid value", id="syntax"),
        pytest.param(b"\xff\xfe\x00", "must be TOML: 'utf-8' codec can't decode", id="binary"),
        pytest.param(b"rows = " + b"9" * 5000, "must be TOML: Exceeds the limit", id="digits"),
        pytest.param(b"rows = " + b"[" * 100_000, "must be TOML: it is nested too deeply", id="nesting"),
        pytest.param(b"#" * (MAX_CONFIG_BYTES + 1), f"must be at most {MAX_CONFIG_BYTES} bytes", id="size"),
    ],
)
def test_bad_file_is_named(tmp_path: Path, content: bytes, rule: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        Config.load(str(path))
    assert str(caught.value).startswith(f"config={path} {rule}")


@pytest.mark.parametrize("source", ["nope", "", ".", "/dev/null", "no\0where", "tiny.toml"])
def test_what_is_no_file_is_named(source: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.load(source)
    assert str(caught.value) == (
        f"config={source} must be a preset (core, fpga, tiny) or an existing TOML file"
    )


def test_name_too_long_for_a_file() -> None:
    with pytest.raises(ConfigError, match="must be a file that can be read: File name too long"):
        Config.load("x" * 5000)


def test_unknown_preset() -> None:
    with pytest.raises(ConfigError, match=r"^preset=huge must be one of core, fpga, tiny$"):
        preset("huge")
    with pytest.raises(ConfigError, match=r"^preset=\.\./design must be one of"):
        preset_text("../design")


def test_configuration_is_frozen_and_hashable() -> None:
    config = preset("tiny")
    with pytest.raises(ValidationError, match="frozen"):
        config.rmc.rows = 8
    with pytest.raises(ValidationError, match="frozen"):
        config.rmc = preset("core").rmc
    assert len({config, preset("tiny"), preset("core")}) == 2


def test_replace_validates_again() -> None:
    config = preset("tiny")
    other = config.replace(rmc__rows=8, lvc__lanes=32)
    assert (other.rmc.rows, other.lvc.lanes, other.groups) == (8, 32, config.groups)
    assert (config.rmc.rows, config.lvc.lanes) == (4, 16)
    assert config.replace() == config
    with pytest.raises(ConfigError, match=r"^rmc\.lanes=5 must divide groups\.fine=16$"):
        config.replace(rmc__lanes=5)
    for name in ("rows", "rmc", "rmx__rows", "rmc__"):
        with pytest.raises(ConfigError, match=f"^{name}=8 must be named section__field"):
            config.replace(**{name: 8})


def test_derived_sizes() -> None:
    tiny, core = preset("tiny"), preset("core")
    assert (tiny.beats, tiny.csu_share, tiny.lvc_tokens) == (4, 4, 4)
    assert (core.beats, core.csu_share, core.lvc_tokens) == (4, 4, 8)
    assert tiny.replace(rmc__cols=6, lvc__lanes=8).csu_share == 3  # a share must divide the columns
    assert tiny.replace(groups__coarse=16).csu_share == 1
    assert (tiny.groups.max_activation_shift, tiny.groups.max_weight_shift, tiny.groups.max_shift) == (
        3,
        1,
        4,
    )
    assert tiny.numbers.data_format.name == "fp16"
    assert tiny.replace(numbers__scale="e8m0").numbers.scale_format.name == "e8m0"
    assert tiny.numbers.sum_format is FP32


@pytest.mark.parametrize(
    ("code_bits", "shift_bits", "coarse"), [(4, 2, 64), (4, 0, 16), (2, 1, 48), (8, 3, 128)]
)
def test_accumulator_holds_the_extremes_and_no_spare_bit(
    code_bits: int, shift_bits: int, coarse: int
) -> None:
    config = preset("tiny").replace(
        numbers__activation_bits=code_bits,
        numbers__weight_bits=code_bits,
        groups__activation_shift_bits=shift_bits,
        groups__weight_shift_bits=shift_bits,
        groups__coarse=coarse,
    )
    lowest = -(1 << (code_bits - 1))
    largest = coarse * lowest * lowest << config.groups.max_shift
    assert -(1 << (config.accumulator_bits - 1)) <= largest < 1 << (config.accumulator_bits - 1)
    assert not largest < 1 << (config.accumulator_bits - 2)
    dot = config.rmc.lanes * lowest * lowest
    assert 1 << (config.dot_bits - 2) <= dot < 1 << (config.dot_bits - 1)
