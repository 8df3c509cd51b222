#!/usr/bin/env bash
# Set the environment up if need be, then check the style and run the whole test suite.
# Arguments go to pytest: bash scripts/test.sh tests/test_frames.py -k exif
set -euo pipefail
cd "$(dirname "$0")/.."
python=$(bash scripts/setup.sh test)
export PYTHONPATH=$PWD/src${PYTHONPATH:+:$PYTHONPATH}
"$python" -m ruff check .
"$python" -m ruff format --check .
exec "$python" -m pytest "$@"
