"""
The wheel's data: the catalogue folders beside the package, shipped as `syncline/catalog/<folder>`.

A build hook and not plain `force-include`, because the latter would also copy the folders into an editable install,
where they go stale; there the program reads them from the checkout.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CATALOG = ("integrations", "mappings", "policies", "examples")


class WheelCatalog(BuildHookInterface[Any]):
    """Adds each of `CATALOG` to a standard wheel; a missing folder fails the build."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "standard":
            return
        for folder in CATALOG:
            build_data["force_include"][str(Path(self.root, folder))] = f"syncline/catalog/{folder}"
