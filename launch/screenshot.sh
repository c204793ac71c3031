#!/usr/bin/env bash
# A picture of a run's dashboard: its report, opened in a headless Chromium, which is installed where it is missing.
#
#   ./launch/screenshot.sh runs/quickstart docs/dashboard.png
set -euo pipefail
[ $# = 2 ] || { echo "usage: $0 RUN_DIR OUTPUT.png" >&2; exit 2; }
run_dir=$(realpath "$1")
output=$(realpath -m "$2")
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
command -v chromium >/dev/null || install_package chromium "to take the picture"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
inverse_instruct report "$run_dir" --output "$work/report.html" >/dev/null
sandbox=()
[ "$(id -u)" != 0 ] || sandbox=(--no-sandbox) # Chromium has none for root
chromium --headless "${sandbox[@]}" --user-data-dir="$work/profile" --hide-scrollbars --window-size=1100,1340 \
    --virtual-time-budget=5000 --screenshot="$work/page.png" "file://$work/report.html" 2>"$work/log" ||
    { cat "$work/log" >&2; exit 1; }
mkdir -p "$(dirname "$output")"
mv "$work/page.png" "$output"
echo "$output"
