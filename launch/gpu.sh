#!/usr/bin/env bash
# Runs a script of this folder on NVIDIA GPUs: looks first at what they need, and takes the lock file for GPUs.
#
#   ./launch/gpu.sh ./launch/quickstart.sh
#   ./launch/gpu.sh ./launch/test.sh -m gpu
#
# The driver must be one for CUDA 13 (580 or later); CUDA itself comes with the packages. Triton compiles small programs
# while an engine starts, with gcc and Python's headers.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,5p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }

problems=()
if command -v nvidia-smi >/dev/null; then
    driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1) || driver=""
    major=${driver%%.*}
    if ! [[ $major =~ ^[0-9]+$ ]]; then
        problems+=("nvidia-smi shows no GPU; look at the driver, and at what a container is given (--gpus all)")
    elif [ "$major" -lt 580 ]; then
        problems+=("the driver is $driver, and CUDA 13 needs 580 or later; renew it")
    fi
elif [ ! -e /dev/nvidiactl ]; then # some containers have the devices and no nvidia-smi
    problems+=("there is no NVIDIA driver here (no nvidia-smi, no /dev/nvidiactl); use the scripts without gpu.sh")
fi
command -v gcc >/dev/null || problems+=("gcc is missing; run: apt-get install gcc")
python=$(command -v python3.11 || command -v python3 || true)
if [ -z "$python" ]; then
    problems+=("Python 3.11 is missing")
else
    headers=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
    [ -e "$headers/Python.h" ] || problems+=("Python's headers are missing in $headers; run: apt-get install python3-dev")
fi
if [ ${#problems[@]} -gt 0 ]; then
    printf 'error: %s\n' "${problems[@]}" >&2
    exit 1
fi
export INVERSE_INSTRUCT_DEVICE=gpu
exec "$@"
