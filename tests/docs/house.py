"""The repository that how-to pages start from: what `syncline init` writes, applied."""

from __future__ import annotations

from pathlib import Path

from syncline import workflow
from syncline.manifests.scaffold import write
from syncline.settings import Settings, read_settings


def house(folder: Path, *, applied: bool = True) -> Settings:
    """The example repository in a folder, with everything in it applied."""
    write(folder)
    settings = read_settings(folder, {"SYNCLINE_ACTOR": "ada"})
    if applied:
        workflow.apply(settings, workflow.plan(settings))
    return settings
