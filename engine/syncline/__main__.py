"""`python -m syncline`: the command line."""

from __future__ import annotations

from syncline.cli.start import run

if __name__ == "__main__":
    run()
