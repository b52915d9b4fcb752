"""What the page says of the configuration: its fields with their meaning, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass

from sevedo.gen.config import Config
from sevedo.ref.grouped import GroupScheme

from .texts import digits, number


@dataclass(frozen=True)
class Section:
    """A table: title, and rows of name, value, meaning."""

    title: str
    rows: tuple[tuple[str, str, str], ...]


def sections(config: Config) -> list[Section]:
    """Every field of a configuration."""
    found = []
    for name in type(config).model_fields:
        part = getattr(config, name)
        rows = tuple(
            (field, str(getattr(part, field)), info.description or "")
            for field, info in type(part).model_fields.items()
        )
        found.append(Section(name, rows))
    return found


def derived(config: Config) -> Section:
    """What follows from the fields."""
    rmc = config.rmc
    activation, weight = GroupScheme.activations(config), GroupScheme.weights(config)
    rows = (
        ("multiply-accumulates a cycle", number(rmc.rows * rmc.cols * rmc.lanes), "rows × cols × lanes"),
        ("processing elements", number(rmc.rows * rmc.cols), "rows × cols"),
        ("cycles of a coarse group", number(config.beats), "in which a PE takes it"),
        ("PEs of a coarse-scale unit", number(config.csu_share), "they share its floating point"),
        ("accumulator", f"{config.accumulator_bits} b", "of a PE; cannot overflow in a coarse group"),
        (
            "memory of an activation",
            f"{digits(activation.bits_per_value, 4)} b",
            "code and its share of shift and scale",
        ),
        ("memory of a weight", f"{digits(weight.bits_per_value, 4)} b", "likewise, of the residual"),
        ("IOMEM", f"{number(config.iomem_rows)} rows", f"of {rmc.cols} tokens by {rmc.lanes} numbers"),
    )
    return Section("what follows", rows)


def headline(config: Config) -> str:
    """The configuration in one line."""
    rmc, numbers = config.rmc, config.numbers
    return (
        f"{rmc.rows} × {rmc.cols} processing elements of {rmc.lanes} lanes, "
        f"W{numbers.weight_bits}A{numbers.activation_bits}, "
        f"{config.groups.summary}, numbers in {numbers.data.upper()}"
    )
