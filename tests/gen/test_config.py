"""Configuration: presets load, every mistake is told in one line, and a configuration cannot be changed."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sevedo.gen.config import (
    FP32,
    NO_PIPELINE,
    SCHEMES,
    Config,
    ConfigError,
    FineLevel,
    largest_code,
    preset,
    preset_names,
    preset_text,
)
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
    assert preset_names() == ["core", "fpga", "mini", "tiny"]
    sizes = {
        name: (preset(name).rmc.rows, preset(name).rmc.cols, preset(name).rmc.lanes)
        for name in preset_names()
    }
    assert sizes == {"core": (16, 16, 16), "fpga": (2, 4, 16), "mini": (1, 1, 4), "tiny": (4, 4, 16)}
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
        if section != "groups"
        for name, field in info.annotation.model_fields.items()  # type: ignore[union-attr]
    } | {
        f"{scheme}.{name}": field.description
        for scheme, info in SCHEMES.items()
        for name, field in info.model_fields.items()
        if name != "scheme"
    }
    assert len(fields) == 29 + 8 + 5 + 5 + 2 + 1 + 2
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
        (
            "numbers.scale",
            "fp16",
            "numbers.scale='fp16' is not a field; it must be one of data, activation_bits, weight_bits",
        ),
        ("groups.scale", "fp8", "groups.scale='fp8' must be 'fp16', 'bf16' or 'e8m0'"),
        (
            "groups.scheme",
            "mx",
            "groups.coarse=64 is not a field of scheme mx; it must be one of scheme, fine",
        ),
        ("groups.scheme", "int", "groups.scheme='int' must be one of hgq, vs-quant, fp-fine, mx, coarse"),
        ("groups.scheme", None, "groups.scheme=None must be one of hgq, vs-quant, fp-fine, mx, coarse"),
        (
            "groups",
            {},
            "groups.scheme is missing; every field must be given (start from a preset: sevedo presets)",
        ),
        ("rmc.activation_passes", 3, "rmc.activation_passes=3 must be less than or equal to 2"),
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
        ("lvc.lanes", 12, "lvc.lanes=12 must be rmc.rows=4 times a divisor or a multiple of rmc.cols=4"),
        ("lvc.lanes", 24, "lvc.lanes=24 must be rmc.rows=4 times a divisor or a multiple of rmc.cols=4"),
        (
            "lvc.output_tokens",
            3,
            "lvc.output_tokens=3 must divide 4, the tokens that lvc.lanes=16 expand in a cycle",
        ),
        (
            "lvc.output_tokens",
            8,
            "lvc.output_tokens=8 must divide 4, the tokens that lvc.lanes=16 expand in a cycle",
        ),
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
        "groups.coarse=65536 needs an accumulator of 62 bits; it must need at most 48 "
        "(fewer code bits, passes, shift or integer scale bits help)"
    )


def test_every_missing_field_is_named() -> None:
    values = preset("tiny").model_dump()
    missing: list[tuple[str, str | None]] = [
        (section, None) for section in values if section not in ("bus", "memory", "pipeline")
    ]
    missing += [(section, name) for section, fields in values.items() for name in fields]
    for later in ("lvc", "tokens"), ("pipeline", "dot"):
        missing.remove(later)
    answers = []
    for section, name in missing:
        values = preset("tiny").model_dump()
        del (values if name is None else values[section])[name or section]
        answers.append(message(values))
    rule = "is missing; every field must be given (start from a preset: sevedo presets)"
    assert answers == [f"{s} {rule}" if n is None else f"{s}.{n} {rule}" for s, n in missing]


def test_what_came_later_may_be_left_out() -> None:
    """Configurations and artefacts from before have no registers inside, and the memories of preset core."""
    values = preset("fpga").model_dump()
    del values["pipeline"]["dot"]
    assert Config.parse(values).pipeline.dot == 0
    values = preset("tiny").model_dump()
    del values["bus"], values["memory"], values["pipeline"], values["lvc"]["tokens"]
    found = Config.parse(values)
    assert found.pipeline == NO_PIPELINE
    assert (found.lvc.tokens, found.project_tokens) == (0, 4)
    assert (found.bus, found.memory) == (preset("core").bus, preset("core").memory)


def test_fingerprint_tells_configurations_apart() -> None:
    tiny = preset("tiny")
    others = [preset("core"), tiny.replace(bus__burst=8), tiny.replace(memory__inputs=99)]
    assert len({tiny.fingerprint, *(other.fingerprint for other in others)}) == 4
    assert tiny.fingerprint == Config.parse(tiny.model_dump()).fingerprint < 1 << 32


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
        f"config={source} must be a preset (core, fpga, mini, tiny) or an existing TOML file"
    )


def test_name_too_long_for_a_file() -> None:
    with pytest.raises(ConfigError, match="must be a file that can be read: File name too long"):
        Config.load("x" * 5000)


def test_unknown_preset() -> None:
    with pytest.raises(ConfigError, match=r"^preset=huge must be one of core, fpga, mini, tiny$"):
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
    large = core.replace(lvc__lanes=768)
    assert (core.lvc_tiles, large.lvc_tokens, large.lvc_tiles) == (1, 16, 3)
    assert tiny.replace(rmc__cols=6, lvc__lanes=8).csu_share == 3  # a share must divide the columns
    assert tiny.replace(groups__coarse=16).csu_share == 1
    assert (tiny.groups.places, tiny.groups.largest_factor) == (4, 16)
    vs_quant = tiny.with_scheme("vs-quant").groups
    assert (vs_quant.places, vs_quant.largest_factor) == (0, 225)
    assert tiny.numbers.data_format.name == "fp16"
    assert tiny.replace(groups__scale="e8m0").groups.scale_format.name == "e8m0"
    assert tiny.numbers.sum_format is FP32


@pytest.mark.parametrize(
    ("code_bits", "shift_bits", "coarse"), [(4, 2, 64), (4, 0, 16), (2, 1, 48), (8, 3, 128)]
)
def test_accumulator_holds_the_extremes_and_no_spare_bit(
    code_bits: int, shift_bits: int, coarse: int
) -> None:
    config = preset("tiny").replace(
        lvc__int8_ranks=0,
        lvc__int4_ranks=0,
        numbers__activation_bits=code_bits,
        numbers__weight_bits=code_bits,
        groups__activation_shift_bits=shift_bits,
        groups__weight_shift_bits=shift_bits,
        groups__coarse=coarse,
    )
    lowest = -(1 << (code_bits - 1))
    largest = coarse * lowest * lowest << config.groups.places
    assert -(1 << (config.accumulator_bits - 1)) <= largest < 1 << (config.accumulator_bits - 1)
    assert not largest < 1 << (config.accumulator_bits - 2)
    dot = config.rmc.lanes * lowest * lowest
    assert 1 << (config.dot_bits - 2) <= dot < 1 << (config.dot_bits - 1)


def test_scheme_can_be_exchanged() -> None:
    """One field chooses the scheme; what both have stays, and the way back loses nothing of it."""
    config = preset("tiny").replace(groups__coarse=128, groups__scale="bf16")
    for scheme, section in SCHEMES.items():
        other = config.replace(groups__scheme=scheme, rmc__rows=8)
        assert type(other.groups) is section
        assert (other.groups.scheme, other.rmc.rows) == (scheme, 8)
        assert other.groups.scale_format.name == ("e8m0" if scheme == "mx" else "bf16")
        assert other.groups.coarse == (16 if scheme in ("mx", "fp-fine") else 128)
        assert Config.parse(other.model_dump()) == other
        assert f"scheme {scheme}" in other.groups.summary
    assert config.with_scheme("vs-quant").with_scheme("hgq") == config
    with pytest.raises(ConfigError, match=r"^groups\.scheme='nvfp4' must be one of hgq, vs-quant"):
        config.with_scheme("nvfp4")


def test_fine_factors_are_what_they_say() -> None:
    assert [FineLevel.SHIFT.factor(k, 2) for k in range(4)] == [8, 4, 2, 1]
    assert [FineLevel.INTEGER.factor(k, 2) for k in range(4)] == [0, 1, 2, 3]
    assert FineLevel.NONE.factor(0, 0) == 1
    assert [level.largest_factor(3) for level in FineLevel] == [1, 128, 7]
    assert [level.places(3) for level in FineLevel] == [0, 7, 0]


def test_wide_codes() -> None:
    """Two digits of four bits: -8..7 each, so at most 8 * 17 = 136."""
    assert [largest_code(4), largest_code(4, 2), largest_code(3, 2)] == [8, 136, 36]
    tiny = preset("tiny")
    assert tiny.replace(rmc__activation_passes=2).accumulator_bits == 22
    wide = tiny.replace(rmc__activation_passes=2, rmc__weight_passes=2)
    assert (wide.passes, wide.accumulator_bits) == (4, 26)
    with pytest.raises(
        ConfigError, match=r"^rmc\.weight_passes=2 must be 1 with numbers\.weight_bits=5; two passes"
    ):
        tiny.replace(numbers__weight_bits=5, rmc__weight_passes=2)
    with pytest.raises(
        ConfigError, match=r"^numbers\.activation_bits=3 must equal numbers\.weight_bits=4 where both"
    ):
        wide.replace(numbers__activation_bits=3)
