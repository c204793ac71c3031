#!/usr/bin/env bash
# The whole loop with a small real model on a CPU: environment, model, two self-training rounds, a table at the end.
#
#   ./launch/quickstart.sh [options of `inverse-instruct run`, such as --set rounds=1]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
inverse_instruct fetch-model smollm2-135m
inverse_instruct run configs/quickstart.yaml "$@"
