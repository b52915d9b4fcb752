"""Recipes: data that comes back as it went, and is refused in one line."""

import pytest

from sevedo.gen.config import Config, preset
from sevedo.ref.flow.recipe import Recipe


def test_a_recipe_comes_back_from_json() -> None:
    recipe = Recipe(rank=16, classes="svd-mp", clips=(1.0, 0.9), tune_steps=3)
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_json({}) == Recipe()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"rank": -1}, "rank=-1 must be an integer of at least 0"),
        ({"rank": 2.5}, "rank=2.5 must be an integer of at least 0"),
        ({"rank": True}, "rank=True must be an integer of at least 0"),
        ({"smoothing": "max"}, "smoothing='max' must be one of none, peak, balance"),
        ({"damping": 0}, "damping=0 must be a number above 0, at most 1"),
        ({"clips": []}, r"clips=\(\) must be numbers above 0, at most 1, at least one of them"),
        ({"clips": 1}, "clips=1 must be a list of numbers"),
        ({"alpha": 1}, "recipe field 'alpha' is unknown; known are "),
    ],
)
def test_bad_recipes_are_refused_in_one_line(data: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        Recipe.from_json(data)
    assert "\n" not in str(caught.value)


def test_a_recipe_is_an_object() -> None:
    with pytest.raises(ValueError, match=r"^recipe=\[\] must be an object of fields$"):
        Recipe.from_json([])  # type: ignore[arg-type]


def test_automatic_classes_are_those_of_the_hardware() -> None:
    core = preset("core")

    def counts(rank: int, config: Config = core) -> tuple[str, int, int]:
        found = Recipe(rank).on(config)
        return found.classes, found.fp_rank, found.int8_rank

    assert counts(32) == ("svd-mp", 8, 8)
    assert counts(64) == ("svd-mp", 40, 8)
    assert counts(20) == ("svd-mp", 8, 8)
    assert counts(11) == ("svd-mp", 8, 3)
    assert counts(8)[0] == "fp16"
    assert counts(32, core.replace(lvc__int8_ranks=0, lvc__int4_ranks=0))[0] == "fp16"
    assert counts(32, core.replace(lvc__int8_ranks=0)) == ("svd-mp", 16, 0)
    assert Recipe(32, classes="int8").on(core).classes == "int8"
