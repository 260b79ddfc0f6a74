#!/usr/bin/env bash
# Makes a virtual environment with the first of some Pythons that works: make-venv.sh FOLDER PYTHON...
set -euo pipefail
folder=$1
shift

# A name on PATH proves nothing (version managers leave shims that refuse to run), so each candidate is asked.
works='import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))'

for python in "$@"; do
    if "$python" -c "$works" >/dev/null 2>&1; then
        "$python" -m venv "$folder"
        exit 0
    fi
done

echo "error: Syncline needs Python 3.11 or newer with its venv module; none among these has both: $*" >&2
echo "       On Debian or Ubuntu: apt install python3 python3-venv" >&2
exit 1
