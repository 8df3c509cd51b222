"""README.md and docs/: links lead somewhere, pages stay short, examples run."""

import ast
import functools
import re
import shlex
from pathlib import Path

import pytest
from conftest import ROOT, run_script

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MOST_LINES = 199
MOST_LINES_OF_README = 180
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:\w+=\S+ )*python (?P<script>(?:src|tool|scripts)/\w+\.py)(?P<arguments>.*)$", re.MULTILINE)


def blocks(page: Path, *languages: str) -> list[str]:
    return [match["text"] for match in FENCE.finditer(page.read_text("utf-8")) if match["language"] in languages]


def commands(page: Path) -> list[tuple[str, list[str]]]:
    """(script, its options) of each Python command in a page's shell examples."""
    found = []
    for block in blocks(page, "", "bash", "sh"):
        for match in COMMAND.finditer(block.replace("\\\n", " ")):
            words = shlex.split(match["arguments"], comments=True)
            found.append((match["script"], [word.partition("=")[0] for word in words if word.startswith("-")]))
    return found


@functools.cache
def help_of(script: str) -> str:
    shown = run_script(script, "--help")
    assert shown.status == 0, script
    return shown.out


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    text = FENCE.sub("", page.read_text("utf-8"))
    targets = [match["target"] for match in LINK.finditer(text)]
    for target in targets:
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.is_file(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", FENCE.sub("", linked.read_text("utf-8")), re.MULTILINE)
            assert anchor in map(slug, headings), f"{page.name}: {target}"


def test_the_readme_links_every_page():
    readme = (ROOT / "README.md").read_text("utf-8")
    for page in PAGES[1:]:
        assert f"(docs/{page.name})" in readme, page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_are_short_and_begin_with_a_command_or_code(page):
    lines = page.read_text("utf-8").splitlines()
    assert len(lines) <= (MOST_LINES_OF_README if page.name == "README.md" else MOST_LINES)
    if page.name != "README.md":
        first = next(number for number, line in enumerate(lines) if line.startswith("```"))
        heading = next((number for number, line in enumerate(lines) if line.startswith("##")), len(lines))
        assert first < heading, "a reader wants the command before the first section"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_named_in_code_marks_is_there(page):
    """`src/...`, `tool/...`, `tests/...` and so on in a page are files or folders of this checkout."""
    for path in re.findall(r"`((?:src|tool|scripts|tests|config|datas|docs)/[\w./-]*\w)`", page.read_text("utf-8")):
        assert (ROOT / path).exists(), f"{page.name}: {path}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_examples_exist_with_their_options(page):
    for script, options in commands(page):
        assert (ROOT / script).is_file(), f"{page.name}: {script}"
        for option in options:
            assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", help_of(script)), (
                f"{page.name}: {script} {option}"
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples_are_python(page):
    for block in blocks(page, "python"):
        ast.parse(block)


def test_the_python_example_of_the_readme_runs(trained, tmp_path, monkeypatch, capsys):
    """With a checkpoint and two frames of the test's own under the names of the example."""
    example = next(block for block in blocks(ROOT / "README.md", "python") if "game_classifier.load" in block)
    model = re.search(r'load\("(?P<path>[^"]+)"\)', example)["path"]
    (tmp_path / "a.jpg").write_bytes(next(trained.dataset.rglob("*.jpg")).read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(compile(example.replace(model, str(trained.best)), "README.md", "exec"), {})
    first, second = capsys.readouterr().out.splitlines()
    assert float(first.rpartition(" ")[2]) > 0
    assert second == "None nan"  # b.png is not there
