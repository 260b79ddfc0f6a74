#!/usr/bin/env bash
# Builds the wheel into dist/ and tries it as a stranger would: in an empty environment, away from the source.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
away=$(mktemp -d)
trap 'rm -rf "$away"' EXIT

rm -rf dist
.venv/bin/python -m hatchling build --target wheel
.venv/bin/python -m venv "$away/venv"
install=("$away/venv/bin/python" -m pip install --quiet --disable-pip-version-check)
"${install[@]}" --require-hashes --requirement requirements/base.txt
"${install[@]}" --no-deps --no-index "$root"/dist/*.whl

mkdir "$away/config"
cd "$away/config"
syncline="$away/venv/bin/syncline"
set -x
"$syncline" --version
"$syncline" init
"$syncline" validate
