#!/usr/bin/env bash
# Everything that is measured: cold starts, 5,000 manifests, a plan of 1,000 objects, then W1–W3 beside the peers.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); root=$(dirname "$here"); python=$root/.venv/bin/python
for script in cold_start.py validate_5000.py plan_1000.py; do
  [ -f "$here/$script" ] && { echo "── $script"; "$python" "$here/$script"; }
done
bash "$here/peers.sh" "$@"
