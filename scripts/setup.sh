#!/usr/bin/env bash
# Make sure that a Python with all requirements is there, and print its path as the last line.
#
#   bash scripts/setup.sh          what running needs (requirements.txt)
#   bash scripts/setup.sh test     what the tests need as well
#
# Uses the active Python if it meets the requirements, else makes .venv in the checkout and installs into it.
# A second run finds everything in place and changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
extra=${1:-}

say() { echo "$@" >&2; }

# ready PYTHON: it meets the requirements; ready PYTHON package: and imports the package from this checkout
ready() { "$1" scripts/check_environment.py "${2:-requirements}" $extra 2>/dev/null; }

install_package() { "$1" -m pip install --quiet --disable-pip-version-check -e ".${extra:+[$extra]}" >&2; }

for python in python3 python "$PWD/.venv/bin/python"; do
    command -v "$python" >/dev/null || continue
    if ready "$python" package; then
        command -v "$python"
        exit 0
    fi
    if ready "$python"; then
        say "setup: $(command -v "$python") meets the requirements; linking this checkout's package into it"
        if install_package "$python" && ready "$python" package; then
            command -v "$python"
            exit 0
        fi
        say "setup: that did not work; going on with an environment of our own"
    fi
done

base=""
for python in python3 python python3.13 python3.12 python3.11; do
    if command -v "$python" >/dev/null && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        base=$python
        break
    fi
done
if [ -z "$base" ]; then
    say "error: no Python 3.11 or newer found; install one and run this again"
    exit 2
fi
say "setup: installing the requirements into .venv (some minutes and up to 6 GB, most of it torch)"
if [ ! -x .venv/bin/python ] && ! "$base" -m venv .venv >&2; then
    say "error: $base cannot make a virtual environment; install its venv module (Debian: apt-get install python3-venv)"
    exit 2
fi
if ! install_package .venv/bin/python || ! ready .venv/bin/python package; then
    say "error: the requirements could not be installed into .venv; see pip's messages above, and run this again"
    exit 2
fi
echo "$PWD/.venv/bin/python"
