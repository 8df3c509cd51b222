"""Check whether this Python meets requirements.txt; scripts/setup.sh runs this. Does not import the packages.

    python scripts/check_environment.py [test]

Ends with status 0 if all requirements are met, 1 if one is not, and 2 for wrong use.
"""

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

ROOT = Path(__file__).resolve().parents[1]


class WrongUse(Exception):
    """Wrong use; the message names the remedy. The package's own InputError may not be importable here."""


def main() -> int:
    """Print the requirements that are not met, or one line for wrong use; return the status."""
    try:
        unmet = [str(each) for each in wanted(sys.argv[1:]) if not is_met(each)]
    except (OSError, WrongUse) as error:
        file_error = isinstance(error, OSError)
        text = f"{error.filename}: {error.strerror}; run this script in a complete checkout" if file_error else error
        print(f"error: {text}", file=sys.stderr)
        return 2
    if unmet:
        print(f"not met: {', '.join(unmet)}", file=sys.stderr)
    return 1 if unmet else 0


def wanted(extras: list[str]) -> list[Requirement]:
    """The requirements, with those of the extras; raises WrongUse."""
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    texts = [(text, "requirements.txt") for line in lines if (text := line.partition("#")[0].strip())]
    for extra in extras:
        if extra not in known:
            raise WrongUse(f"{extra}: no such extra; pyproject.toml has {', '.join(known)}")
        texts += [(text, "pyproject.toml") for text in known[extra]]
    requirements = []
    for text, file in texts:
        try:
            requirements.append(Requirement(text))
        except InvalidRequirement:
            raise WrongUse(f"{file}: {text!r} is not a requirement; write one such as 'torch>=2'") from None
    return requirements


def is_met(requirement: Requirement) -> bool:
    """Whether a fitting version is installed."""
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main())
