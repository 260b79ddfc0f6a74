#!/usr/bin/env bash
# Pins every dependency by version and hash, for all supported Pythons and platforms. Arguments go to `uv pip compile`.
set -euo pipefail
cd "$(dirname "$0")/.."

compile() {
    .venv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header "$@"
}

compile --group build --output-file requirements/base.txt "$@"
compile --group dev --constraint requirements/base.txt --output-file requirements/dev.txt "$@"
