#!/usr/bin/env bash
# Set up the environment if needed, check the style, and run tests.
#
#   bash scripts/test.sh                                runs the fast tests, in about four minutes
#   bash scripts/test.sh --all                          runs all tests; do this before you merge a change
#   bash scripts/test.sh tests/test_frames.py -k exif   passes its arguments to pytest, and runs slow tests too
set -euo pipefail
cd "$(dirname "$0")/.."
python=$(bash scripts/setup.sh test)
export PYTHONPATH=$PWD/src${PYTHONPATH:+:$PYTHONPATH}
# Waiting threads sleep. If they spin beside other work on the same cores, a training of one second takes twenty.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
"$python" -m ruff check .
"$python" -m ruff format --check .
if [ $# = 0 ]; then
    "$python" -m pytest -m "not slow" && status=0 || status=$?
    echo "These were the fast tests. Before you merge a change, run all tests: bash scripts/test.sh --all"
    exit $status
fi
if [ "$1" = --all ]; then
    shift
fi
exec "$python" -m pytest "$@"
