#!/usr/bin/env bash
# The documentation as a site of its own, in build/site, which asks nothing of other servers while it is read.
#
#   ./launch/site.sh [options of `mkdocs build`]
#
# A broken link, or a page that would fetch something from elsewhere, is an error. The tools are the extra `docs` of
# setup.cfg; they are kept outside the checkout, apart from the project's environment, which they do not need.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
wanted=$(python3 - "$root/setup.cfg" <<'END'
import configparser, sys

setup = configparser.ConfigParser()
setup.read(sys.argv[1])
print(*setup["options.extras_require"]["docs"].split(), sep="\n")
END
)
tools="${XDG_CACHE_HOME:-$HOME/.cache}/inverse-instruct/site-$(sha256sum <<<"$wanted" | cut -c1-12)"
if [ ! -e "$tools/complete" ]; then
    rm -rf "$tools"
    python3 -m venv "$tools" || { echo "error: python3 cannot make an environment; run: apt-get install python3-venv" >&2; exit 1; }
    "$tools/bin/pip" install --quiet --disable-pip-version-check --requirement <(echo "$wanted")
    touch "$tools/complete"
fi
cd "$root"
export NO_MKDOCS_2_WARNING=1 # about other programs than this one
"$tools/bin/python" -m mkdocs build --strict --site-dir build/site "$@"
"$tools/bin/python" -m tests.docs.fetched build/site
