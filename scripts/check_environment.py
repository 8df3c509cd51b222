"""Exit with 0 when this Python meets requirements.txt, for scripts/setup.sh; imports none of it.

python scripts/check_environment.py [test]
"""

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Return 1, and say which, at the first requirement that is not met."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [text for line in lines if (text := line.partition("#")[0].strip())]
    for extra in sys.argv[1:]:
        wanted += project["optional-dependencies"][extra]
    unmet = [text for text in wanted if not is_met(Requirement(text))]
    if unmet:
        print(f"not met: {', '.join(unmet)}", file=sys.stderr)
    return 1 if unmet else 0


def is_met(requirement: Requirement) -> bool:
    """Whether a fitting version is installed."""
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main())
