"""`python -m syncline`: the command line."""

from __future__ import annotations

from syncline.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
