#!/usr/bin/env bash
# Lints, type checks and tests, all in the project's own environment.
#
#   ./launch/test.sh [pytest options, such as -m slow or tests/test_config.py]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
command -v chromium >/dev/null || (install_package chromium "the browser of the dashboard's tests") ||
    echo "the tests in a browser are left out"
inverse_instruct fetch-model smollm2-135m
ruff check .
ruff format --check --quiet .
mypy
# one more than there are cores: tests of engines and of training wait much of their time
exec python -m pytest -n "$(($(nproc) + 1))" --dist loadfile "$@"
