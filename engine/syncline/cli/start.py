"""Where the command begins: what has to be so before anything else of it is imported."""

from __future__ import annotations

import gc
import os
from typing import NoReturn

#: When Python looks for garbage. Manifests are many objects that stay; looking among them by default took 10 % of
#: `validate`, and 6 % of short runs.
COLLECTS = (500_000, 20, 20)


def run() -> NoReturn:
    """The command line, from nothing to the end of the process."""
    gc.set_threshold(*COLLECTS)  # first: what is imported stays as well
    # Plugins of pydantic could read every manifest, and to look for some reads about every package that is installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from syncline.cli.main import run as run_command

    run_command()
