"""Write docs/configuration.md from the keys, defaults and descriptions in src/game_classifier/config.py.

    python scripts/write_configuration.py

Run it after a change of a key or of a recipe in config/; tests/test_configuration_page.py fails until then.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from game_classifier.command import CommandParser, run_command
from game_classifier.config import Config, read_config
from game_classifier.storage import write_text
from game_classifier.training.session import FREE_KEYS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "configuration.md"
PARTS = {
    name: type(field.default) for name, field in Config.model_fields.items() if isinstance(field.default, BaseModel)
}
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
NOUNS = {"integer": "integer", "number": "number", "string": "text"}

INTRODUCTION = """\
# Configuration

This page lists every key of a recipe with its values, its default and its meaning.

```
python src/main_train.py -i datasets2 -o sv_train --set epochs=30 --set augment.zoom=0.3    # change single keys
python src/main_train.py -i datasets2 -o sv_train --config my_recipe.json                   # use another recipe
```

A recipe is a JSON file. A key that it leaves out has the default. `{"epochs": 30, "augment": {"zoom": 0.3}}` is a whole
recipe, and it means the same as the first command. An unknown key or a value of the wrong type is an error.

`--set` takes JSON, as in `--set image_size=[90,160]`. Text needs no quotes, as in `--set optimizer=adamw`.

`src/main_convert.py` has the same two options, but it uses only the `gate` keys. With `--network`, for weights from
elsewhere, it also uses `image_size`, `resize`, `mean` and `std`.

`python scripts/write_configuration.py` makes this page from `src/game_classifier/config.py`.
"""


def main() -> None:
    """Parse and write the page."""
    parser = CommandParser(__doc__)
    parser.add_argument("-o", "--output", type=Path, default=PAGE, help="(default: docs/configuration.md)")
    arguments = parser.parse_args()
    write_text(arguments.output, page())
    print(f"written: {arguments.output}")


def page() -> str:
    """The whole page."""
    sections = [INTRODUCTION, "## Recipe\n", key_table(Config)]
    for name, part in PARTS.items():
        sections += [f"## `{name}`\n", f"{Config.model_fields[name].description}\n", key_table(part, f"{name}.")]
    sections += ["## Keys that may change on resume\n", resume()]
    sections += ["## The recipes in `config/`\n", recipes(sorted((ROOT / "config").glob("*.json")))]
    return "\n".join(sections)


def key_table(model: type[BaseModel], prefix: str = "") -> str:
    """A table of the keys of `model`, without those that hold a part."""
    schemas = model.model_json_schema()["properties"]
    defaults = model().model_dump(mode="json")
    return markdown(
        ["key", "values", "default", "meaning"],
        (
            [f"`{prefix}{key}`", values(schema), f"`{json.dumps(defaults[key])}`", schema["description"]]
            for key, schema in schemas.items()
            if key not in PARTS
        ),
    )


def values(schema: dict[str, Any], plural: str = "") -> str:
    """The values that a JSON schema allows, in words."""
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if "anyOf" in schema:
        return ", or ".join(map(values, schema["anyOf"]))
    if schema["type"] == "null":
        return "`null`"
    if schema["type"] == "array":
        length = f"{schema['minItems']} " if "minItems" in schema else ""
        return f"list of {length}{values(schema.get('items') or schema['prefixItems'][0], 's')}"
    bounds = [f"{sign} {schema[name]:g}" for name, sign in BOUNDS.items() if name in schema]
    return f"{NOUNS[schema['type']]}{plural} {' and '.join(bounds)}".rstrip()


def resume() -> str:
    """The keys that may change with --resume."""
    *keys, last = (f"`{key}`" for key in Config.model_fields if key in FREE_KEYS)
    return f"""\
With `--resume`, these keys may have other values than before:
{", ".join(keys)} and {last}.

A change of any other key is refused, and the message names the key. `epochs` must not be below the number of epochs
that are trained already.
"""


def recipes(paths: Sequence[Path]) -> str:
    """A table of the keys that each recipe changes."""
    defaults = flat(Config())
    changes = {
        path.name: [
            f"`{key}` `{json.dumps(value)}`"
            for key, value in flat(read_config(path, [])).items()
            if value != defaults[key]
        ]
        for path in paths
    }
    return markdown(
        ["recipe", "differs from the defaults in"],
        ([f"`{name}`", ", ".join(changed) or "nothing"] for name, changed in changes.items()),
    )


def flat(config: Config) -> dict[str, Any]:
    """Key -> value, those of the parts as `part.key`."""
    found = config.model_dump(mode="json")
    for name in PARTS:
        found |= {f"{name}.{key}": value for key, value in found.pop(name).items()}
    return found


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [" | ".join(cells) for cells in (header, *rows)]
    rule = "|---" * len(header) + "|"
    return "\n".join([f"| {lines[0]} |", rule, *(f"| {line} |" for line in lines[1:]), ""])


if __name__ == "__main__":
    run_command(main)
