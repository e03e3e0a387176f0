"""What the chapter about workers shows of a recipe is what the tests run."""

import pytest

from tests.helpers.readmes import FILES
from tests.helpers.recipe_workers import RECIPES

NAMES = ("rabbitmq_worker.py", "redis_worker.py", "table_worker.py")


@pytest.mark.parametrize("name", NAMES)
def test_the_chapter_shows_a_part_of_the_tested_program(name: str) -> None:
    shown = FILES[name].text.removeprefix(f"# {name}\n")

    assert shown in (RECIPES / name).read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_read_in_a_few_minutes(name: str) -> None:
    lines = (RECIPES / name).read_text().splitlines()

    assert len([line for line in lines if line]) < 100
