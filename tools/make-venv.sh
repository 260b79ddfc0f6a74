#!/usr/bin/env bash
# Makes a virtual environment with the newest Python here that the project supports: make-venv.sh FOLDER
set -euo pipefail

# A name on PATH proves nothing (version managers leave shims that refuse to run), so each candidate is asked.
works='import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2])'

for python in python3.14 python3.13 python3.12 python3.11 python3; do
    if "$python" -c "$works" >/dev/null 2>&1; then
        "$python" -m venv "$1"
        exit 0
    fi
done

echo "error: Syncline needs Python 3.11 or newer with its venv module, and found none among" >&2
echo "       python3.14, python3.13, python3.12, python3.11 and python3 on PATH." >&2
echo "       On Debian or Ubuntu: apt install python3 python3-venv" >&2
exit 1
