#!/usr/bin/env bash
# Find or make a Python with all requirements, and print its path as the last line.
#
#   bash scripts/setup.sh          the packages that the commands need (requirements.txt)
#   bash scripts/setup.sh test     also the packages that the tests need
#
# Uses the active Python if it meets the requirements. Otherwise makes .venv in the checkout and installs into it. A
# second run changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
extra=${1:-}
venv=$PWD/.venv

say() { echo "$@" >&2; }
ready() { command -v "$1" >/dev/null && "$1" scripts/check_environment.py $extra 2>/dev/null; }
installed() { "$1" -c 'from importlib.metadata import version; version("game-classifier")' 2>/dev/null; }

for python in python3 python; do
    if ready "$python"; then
        command -v "$python"
        exit 0
    fi
done
if ready "$venv/bin/python" && installed "$venv/bin/python"; then
    echo "$venv/bin/python"
    exit 0
fi

if [ ! -x "$venv/bin/python" ]; then
    for python in python3 python python3.13 python3.12 python3.11; do
        if command -v "$python" >/dev/null && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            base=$python
            break
        fi
    done
    if [ -z "${base:-}" ]; then
        say "error: no Python 3.11 or newer found; install one and run this again"
        exit 2
    fi
    if ! "$base" -m venv "$venv" >&2; then
        say "error: $base cannot make a virtual environment; install its venv module (Debian: apt-get install python3-venv)"
        exit 2
    fi
fi
say "setup: installing the requirements into .venv (some minutes and up to 6 GB, most of it torch)"
if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e ".[${extra:-int8}]" >&2; then
    say "error: the requirements could not be installed into .venv; read pip's messages above, then run this again"
    exit 2
fi
echo "$venv/bin/python"
