"""Exit with 0 when this Python meets the requirements, for scripts/setup.sh; imports none of them.

python scripts/check_environment.py requirements [test]    versions of all distributions
python scripts/check_environment.py package [test]         and the package is that of this checkout
"""

import importlib.util
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """0 if everything is there, else 1, with the reason."""
    kind, extras = sys.argv[1], sys.argv[2:]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [text for line in lines if (text := line.partition("#")[0].strip())]
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    if (
        f"{sys.version_info.major}.{sys.version_info.minor}"
        not in Requirement(f"python{project['requires-python']}").specifier
    ):
        return complain(f"Python {project['requires-python']}")
    for text in wanted:
        requirement = Requirement(text)
        try:
            if not requirement.specifier.contains(version(requirement.name), prereleases=True):
                return complain(text)
        except PackageNotFoundError:
            return complain(text)
    if kind == "package":
        found = importlib.util.find_spec("game_classifier")
        if not (found and found.origin and Path(found.origin).is_relative_to(ROOT)):
            return complain("the package game_classifier of this checkout")
    return 0


def complain(text: str) -> int:
    """Say what is missing."""
    print(f"not met: {text}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
