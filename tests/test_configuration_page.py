"""docs/configuration.md is the output of scripts/write_configuration.py, so it has the keys of the code."""

import json

import pytest
from conftest import ROOT

from game_classifier.config import Config
from game_classifier.training.session import FREE_KEYS

PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_script_makes(tmp_path, run):
    assert run("scripts/write_configuration.py", "-o", tmp_path / "page.md").status == 0
    made = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert made == PAGE, "run python scripts/write_configuration.py"


def flat(values: dict) -> dict:
    parts = {name: part for name, part in values.items() if isinstance(part, dict)}
    nested = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.items()}
    return {key: value for key, value in values.items() if key not in parts} | nested


def row(first: str) -> list[str]:
    """The cells of the page's only row that begins with `first`."""
    [line] = [line for line in PAGE.splitlines() if line.startswith(f"| `{first}` |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_key_has_a_row_with_its_values_its_default_and_its_meaning():
    for key, default in flat(Config().model_dump(mode="json")).items():
        _, values, shown, meaning = row(key)
        assert values
        assert json.loads(shown.strip("`")) == default
        assert meaning.endswith(".")


@pytest.mark.parametrize("name", ["default.json", "detector.json", "picodet.json"])
def test_every_key_of_a_recipe_has_its_default_or_is_said_to_differ(name):
    recipe = flat(json.loads((ROOT / "config" / name).read_text(encoding="utf-8")))
    defaults = flat(Config().model_dump(mode="json"))
    assert recipe.keys() == defaults.keys()
    differing = [f"`{key}` `{json.dumps(value)}`" for key, value in recipe.items() if value != defaults[key]]
    assert row(name)[1] == (", ".join(differing) or "nothing")


def test_the_page_names_the_keys_that_may_change_on_resume():
    [paragraph] = [each for each in PAGE.split("\n\n") if each.startswith("With `--resume`")]
    assert {key for key in Config.model_fields if f"`{key}`" in paragraph} == set(FREE_KEYS)


def test_no_line_but_of_a_table_is_long():
    assert [line for line in PAGE.splitlines() if len(line) > 120 and not line.startswith("|")] == []
