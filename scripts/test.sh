#!/usr/bin/env bash
# Set the environment up if need be, then check the style and run tests.
#
#   bash scripts/test.sh                                the fast tests, in three minutes: between two edits
#   bash scripts/test.sh --all                          all tests: before a change lands
#   bash scripts/test.sh tests/test_frames.py -k exif   what pytest is told, slow tests among it
set -euo pipefail
cd "$(dirname "$0")/.."
python=$(bash scripts/setup.sh test)
export PYTHONPATH=$PWD/src${PYTHONPATH:+:$PYTHONPATH}
# Threads that wait sleep: spinning, beside other work on the same cores, makes a training of a second take twenty.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
"$python" -m ruff check .
"$python" -m ruff format --check .
if [ $# = 0 ]; then
    "$python" -m pytest -m "not slow" && status=0 || status=$?
    echo "These were the fast tests; all of them, before a change lands: bash scripts/test.sh --all"
    exit $status
fi
if [ "$1" = --all ]; then
    shift
fi
exec "$python" -m pytest "$@"
