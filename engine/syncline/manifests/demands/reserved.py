"""Manifests that name a path in Git's folder or Syncline's own: found here before anything runs.

By name only. Where links lead, and a home folder that is elsewhere, is decided by who opens the path, each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.findings import Problem
from syncline.model.manifest import Manifest, Path
from syncline.model.reserved import HELP, names_reserved

#: The setting of each runtime that is a path.
SETTINGS: Final = {"file": "root", "sql": "path"}


def reserved_settings(spec: IntegrationSpec, connector: ConnectorSpec) -> Iterator[Problem]:
    """The path that an integration uses, by its setting or its connector's default, and the files of its streams."""
    name = SETTINGS.get(connector.runtime, "")
    default = connector.config.properties[name].default if name in connector.config.properties else None
    value = spec.config.get(name, default)
    if isinstance(value, str) and names_reserved(value):
        yield _problem(("spec", "config", name), value)
    for stream, files in spec.streams.items():
        for pattern in filter(names_reserved, files.patterns):
            yield _problem(("spec", "streams", stream, "files"), pattern)


def reserved_secrets(manifest: Manifest) -> Iterator[Problem]:
    """References to secrets in files that are reserved."""
    if "secretRef" not in manifest.document:
        return
    yield from _references(manifest.source.get("spec", {}), ("spec",))


def _references(value: Any, path: Path) -> Iterator[Problem]:
    match value:
        case {"secretRef": {"provider": "file" | "sops", "key": str(key)}}:
            if names_reserved(key):
                yield _problem((*path, "secretRef", "key"), key)
        case Mapping():
            for name, inner in value.items():
                yield from _references(inner, (*path, name))
        case list() | tuple():
            for position, inner in enumerate(value):
                yield from _references(inner, (*path, position))
        case _:
            pass


def _problem(path: Path, value: str) -> Problem:
    return Problem("SYN218", path, f"{value!r} is in a folder that Git or Syncline keeps for itself", help=HELP)
