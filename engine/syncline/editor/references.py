"""What names in a text may mean: which objects can be referred to at a place, and where one is declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath

from syncline.editor.cursor import Slot, Spot
from syncline.kinds import KIND_BY_NAME
from syncline.kinds.integration import connector_name
from syncline.kinds.sync import endpoint
from syncline.manifests.catalog import folder
from syncline.manifests.desired import Desired
from syncline.manifests.flow import side_of
from syncline.manifests.versions import latest
from syncline.model.diagnostic import Place
from syncline.model.manifest import Manifest, Path


def kinds_at(kind: str, path: Path) -> tuple[str, ...]:
    """The kinds that a text at a path of a document of a kind may name; none where it names no object."""
    if path == ("metadata", "tenant"):
        return ("Tenant",)
    known = KIND_BY_NAME.get(kind)
    if known is None or path[:1] != ("spec",):
        return ()
    return known.refers.get(".".join(step for step in path[1:] if isinstance(step, str)), ())


def names_at(slot: Slot, declared: Iterable[Desired]) -> Iterator[str]:
    """Every text that names an object at a place, as it is written there, in order and each once."""
    kinds = kinds_at(slot.kind, slot.path)
    several = len(kinds) > 1
    found = {text for desired in declared for kind in kinds for text in _texts(desired, slot.tenant, kind, several)}
    if slot.kind in {"Sync", "Import"} and kinds == ("Integration",):
        found = {text for desired in declared for name in found for text in _streams(desired, slot.tenant, name)}
    yield from sorted(found)


def _texts(desired: Desired, tenant: str, kind: str, several: bool) -> Iterator[str]:
    for name in desired.visible(tenant, kind):
        if kind == "Connector" and (versions := desired.connectors(tenant, name)):
            yield f"{name}@^{latest([m.key.version for m in versions])}"
        else:
            yield f"{kind}/{name}" if several else name


def _streams(desired: Desired, tenant: str, name: str) -> Iterator[str]:
    integration = desired.find(tenant, "Integration", name)
    side = side_of(desired, integration, "") if integration is not None else None
    streams = side.streams if side is not None else ()
    yield from (f"{name}/{stream}" for stream in streams)
    if not streams:
        yield f"{name}/"


def declared_at(spot: Spot, declared: Iterable[Desired]) -> tuple[Manifest, Place] | None:
    """The object that a value names, and where: its stream, if it names one that is declared, else its name."""
    kinds, text = kinds_at(spot.kind, spot.path), spot.node.data
    if not kinds or not isinstance(text, str):
        return None
    kind, name = text.partition("/")[::2] if len(kinds) > 1 else (kinds[0], text)
    stream, wanted = "", ""
    if kind == "Integration":
        name, stream = endpoint(name)
    elif kind == "Connector":
        name, wanted = connector_name(name)
    if kind not in kinds:
        return None
    for desired in declared:
        found = desired.find("" if kind == "Tenant" else spot.tenant, kind, name, wanted)
        if found is not None:
            return _stream(desired, found, stream) or (found, found.place_of("metadata", "name"))
    return None


def _stream(desired: Desired, integration: Manifest, stream: str) -> tuple[Manifest, Place] | None:
    side = side_of(desired, integration, stream) if stream else None
    for manifest in (integration, side.connector) if side is not None else ():
        for part in ("streams", "tables"):
            if (place := manifest.key_places.get(("spec", part, stream))) is not None:
                return manifest, place
    return None


def file_of(manifest: Manifest, place: Place, declared: Iterable[Desired], root: FilePath) -> FilePath:
    """The file that a place of an object is in: the repository's, or what is shipped."""
    if any(desired.objects.get(manifest.key) is manifest for desired in declared):
        return root / place.file
    _, name, file = place.file.split("/", 2)
    return folder(name) / file
