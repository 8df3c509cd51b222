"""Imports run one way, down; see the layers below and docs/design.md."""

import ast

from conftest import ROOT

PACKAGE = ROOT / "src" / "game_classifier"
# What each part may import of the package, besides itself and the foundation.
FOUNDATION = {"errors", "storage", "console"}
ALLOWED = {
    "command": set(),
    "device": set(),
    "ray_pool": set(),
    "demo": {"lists"},
    "frames": set(),
    "lists": {"frames"},
    "datasets": {"lists"},
    "models": {"frames", "lists"},
    "config_parts": set(),
    "config": {"config_parts", "frames"},
    "checks": {"frames", "lists"},
    "scoring": {"frames", "lists"},
    "pages": {"frames", "lists", "checks", "scoring"},
    "runtime": {"frames", "lists", "models", "device"},
    "tasks": {"frames", "lists", "models", "scoring", "pages", "config", "device"},
    "deploy": {"frames", "lists", "models", "runtime", "tasks", "pages", "config", "device"},
    "training": {"frames", "lists", "models", "tasks", "pages", "config", "device"},
    "predict": {"frames", "lists", "models", "runtime", "tasks", "ray_pool"},
    "timeline": {"frames", "lists", "runtime", "tasks", "pages", "ray_pool"},
    "compare": {"frames", "lists", "models", "runtime", "deploy", "predict", "tasks", "pages", "device"},
}


def imported_parts(path) -> set[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.append(node.module)
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("game_classifier.")}


def test_every_part_imports_only_what_lies_below_it():
    seen = set()
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if part in FOUNDATION | {"__init__", "interface"}:  # the top: it may import all
            continue
        seen.add(part)
        assert imported_parts(path) <= ALLOWED[part] | FOUNDATION | {part}, path
    assert seen == set(ALLOWED)


def test_the_foundation_imports_nothing_above_it():
    for part in FOUNDATION:
        assert imported_parts(PACKAGE / f"{part}.py") <= FOUNDATION


def test_frames_are_decoded_and_resized_in_one_place_only():
    for path in (ROOT / "src").rglob("*.py"):
        if path.name == "decode.py" or "demo" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        for word in ("simplejpeg", "Image.open", "antialias="):
            assert word not in text, path


def test_players_of_background_sources_run_without_the_package():
    players = sorted((PACKAGE / "demo" / "players").glob("*.py"))
    assert len(players) > 5
    for path in players:
        assert not imported_parts(path), path


def test_no_path_edits():
    for folder in ("src", "tool", "tests", "scripts"):
        for path in (ROOT / folder).rglob("*.py"):
            assert "sys." + "path" not in path.read_text(encoding="utf-8"), path
