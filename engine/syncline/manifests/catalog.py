"""What Syncline ships (connectors, mappings, policy packs): shared objects that references find last.

They are no part of what is desired: nothing of them is planned, applied or listed. A file has one object, by whose name
it is called.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Final

from syncline.manifests.load import load_text
from syncline.manifests.shelf import Catalog
from syncline.model.diagnostic import has_errors
from syncline.model.errors import Bug
from syncline.model.manifest import Manifest

#: The folders, and the kind of what is in each.
FOLDERS: Final = {"integrations": "Connector", "mappings": "Mapping", "policies": "Policy"}
_PACKAGE: Final = Path(__file__).resolve().parents[1]


def folder(name: str) -> Path:
    """A catalogue folder (`integrations`, `mappings`, `policies`, `examples`): in the wheel, or in the checkout."""
    shipped = _PACKAGE / "catalog" / name
    return shipped if shipped.is_dir() else _PACKAGE.parents[1] / name


@cache
def catalog() -> Catalog:
    """The shipped objects."""
    found = ((kind, path) for name, kind in FOLDERS.items() for path in sorted(folder(name).glob("*.yaml")))
    return Catalog({(kind, path.stem): partial(_manifest, path, (kind, path.stem)) for kind, path in found})


def _manifest(path: Path, name: tuple[str, str]) -> Manifest:
    result = load_text(path.read_text(encoding="utf-8"), f"catalog/{path.parent.name}/{path.name}")
    if has_errors(result.diagnostics):
        raise Bug(f"the shipped {path.name} is not valid: {result.diagnostics[0].message}")
    if [(found.key.kind, found.key.base) for found in result.manifests] != [name]:
        raise Bug(f"the shipped {path.name} has to be the {name[0]} {name[1]}, and nothing else")
    return result.manifests[0]
