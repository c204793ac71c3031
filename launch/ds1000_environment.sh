#!/usr/bin/env bash
# Makes the environment that DS-1000 is judged in, outside the checkout, and prints its interpreter.
#
#   ./launch/ds1000_environment.sh
#
# Needs Python 3.11 (upstream's pins have no later one in common) and about 6 GB. The environment is keyed by the lock
# file. The packages come from PyPI alone, so torch is its CUDA build, which runs without a GPU. Some rows read data
# sets that seaborn and scikit-learn download; where that fails here, these rows are not measured.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lock="$root/launch/requirements-ds1000.txt"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/inverse-instruct"
environment="$cache/ds1000-$(sha256sum "$lock" | cut -c1-12)"
python="$environment/bin/python"

if [ ! -e "$environment/complete" ]; then
    base=$(command -v python3.11 || command -v python3)
    "$base" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
        { echo "error: Python 3.11 is needed, but $base is $("$base" --version)" >&2; exit 1; }
    echo "making the environment $environment (about 6 GB, some minutes)" >&2
    rm -rf "$environment"
    "$base" -m venv "$environment"
    "$environment/bin/pip" install --quiet --no-deps --requirement "$lock" >&2
    "$python" -c 'import matplotlib, numpy, pandas, scipy, seaborn, sklearn, tensorflow, torch' 2>/dev/null ||
        { echo "error: the installed packages cannot be imported" >&2; exit 1; }
    touch "$environment/complete"
fi

data="$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ds1000_data"
mkdir -p "$data"
SEABORN_DATA="$data" SCIKIT_LEARN_DATA="$data" "$python" - <<'EOF' >&2
import pathlib, os, seaborn, sklearn.datasets

held = {path.name for path in pathlib.Path(os.environ["SEABORN_DATA"]).iterdir()}
fetch = {f"{name}.csv": lambda name=name: seaborn.load_dataset(name) for name in ("exercise", "penguins", "planets", "tips")}
fetch["cal_housing_py3.pkz"] = sklearn.datasets.fetch_california_housing
for name in fetch.keys() - held:
    try:
        fetch[name]()
    except (OSError, ValueError) as error:
        print(f"warning: {name} could not be downloaded, so the rows that need it are not measured: {error}")
EOF
echo "$python"
