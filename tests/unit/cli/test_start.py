"""The first thing that the command does."""

from __future__ import annotations

import os
import subprocess
import sys

from syncline.cli.start import COLLECTS

TOLD = """
import gc, os, sys
from types import ModuleType
main = ModuleType("syncline.cli.main")
main.run = lambda: print(gc.get_threshold(), os.environ["PYDANTIC_DISABLE_PLUGINS"], "pydantic" in sys.modules)
sys.modules["syncline.cli.main"] = main
from syncline.cli.start import run
run()
"""


def told(**environ: str) -> str:
    """What is so when the command itself begins: when garbage is looked for, plugins, and whether pydantic is there."""
    clean = {name: value for name, value in os.environ.items() if name != "PYDANTIC_DISABLE_PLUGINS"}
    done = subprocess.run(
        [sys.executable, "-c", TOLD], env=clean | environ, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_ready_before_anything_is_imported():
    """Garbage is rarely looked for, and pydantic looks for no plugins, before either has begun."""
    assert told() == f"{COLLECTS} __all__ False"


def test_plugins_of_pydantic_when_asked():
    """Who wants plugins of pydantic says so in the environment."""
    assert told(PYDANTIC_DISABLE_PLUGINS="0") == f"{COLLECTS} 0 False"
