#!/usr/bin/env bash
# Types and lint of the JavaScript files: the dashboard's, and the harness that runs JavaScript programs.
#
#   ./launch/check_scripts.sh
#
# Node with npm is all it needs. The tools are kept outside the checkout, keyed by their lock file.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command -v npm >/dev/null || { echo "error: npm is missing; run: apt-get install npm" >&2; exit 1; }
lock="$root/launch/javascript/package-lock.json"
tools="${XDG_CACHE_HOME:-$HOME/.cache}/inverse-instruct/javascript-$(sha256sum "$lock" | cut -c1-12)"
if [ ! -e "$tools/complete" ]; then
    rm -rf "$tools" && mkdir -p "$tools"
    cp "$root"/launch/javascript/package*.json "$tools"
    npm ci --silent --no-audit --no-fund --ignore-scripts --prefix "$tools"
    touch "$tools/complete"
fi
cp "$root/launch/javascript/eslint.config.mjs" "$tools" # its imports are looked for beside it
cd "$root"
for project in dashboard harness; do
    "$tools/node_modules/.bin/tsc" --project "launch/javascript/$project.json" --typeRoots "$tools/node_modules/@types"
done
"$tools/node_modules/.bin/eslint" --config "$tools/eslint.config.mjs" --max-warnings 0 inverse_instruct evaluation
