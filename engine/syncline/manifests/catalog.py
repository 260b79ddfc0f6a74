"""What Syncline ships (connectors, mappings, policy packs): shared objects that references find last.

They are no part of what is desired: nothing of them is planned, applied or listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from syncline.manifests.load import load_text
from syncline.model.diagnostic import has_errors
from syncline.model.errors import Bug
from syncline.model.key import ObjectKey
from syncline.model.manifest import Manifest

FOLDERS: Final = ("integrations", "mappings", "policies")
_PACKAGE: Final = Path(__file__).resolve().parents[1]


def folder(name: str) -> Path:
    """A catalogue folder (`integrations`, `mappings`, `policies`, `examples`): in the wheel, or in the checkout."""
    shipped = _PACKAGE / "catalog" / name
    return shipped if shipped.is_dir() else _PACKAGE.parents[1] / name


@cache
def catalog() -> Mapping[ObjectKey, Manifest]:
    """The shipped objects by key. Raises `Bug` when one of them is not valid."""
    found: dict[ObjectKey, Manifest] = {}
    for name in FOLDERS:
        for path in sorted(folder(name).glob("*.yaml")):
            result = load_text(path.read_text(encoding="utf-8"), f"catalog/{name}/{path.name}")
            if has_errors(result.diagnostics):
                raise Bug(f"the shipped {path.name} is not valid: {result.diagnostics[0].message}")
            found |= {manifest.key: manifest for manifest in result.manifests}
    return MappingProxyType(found)
