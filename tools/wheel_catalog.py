"""
The wheel's data: the catalogue folders beside the package, shipped as `syncline/catalog/<folder>`.

A build hook and not plain `force-include`, because the latter would also copy the folders into an editable install,
where they go stale (there the program reads them from the checkout), and would ship what Git ignores: the local state
of an example that somebody ran.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CATALOG = ("integrations", "mappings", "policies", "examples")


class WheelCatalog(BuildHookInterface[Any]):
    """Adds every file of `CATALOG` that Git doesn't ignore to a standard wheel; an empty folder fails the build."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "standard":
            return
        root = Path(self.root)
        for folder in CATALOG:
            names = [path.relative_to(root).as_posix() for path in (root / folder).rglob("*") if path.is_file()]
            kept = [name for name in names if not self.build_config.path_is_excluded(name)]
            if not kept:
                raise FileNotFoundError(f"the catalogue folder {root / folder} has no files to ship")
            build_data["force_include"] |= {str(root / name): f"syncline/catalog/{name}" for name in sorted(kept)}
