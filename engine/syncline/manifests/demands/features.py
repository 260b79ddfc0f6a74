"""What the language declares and this version doesn't do yet: each is a finding, nothing is promised in silence.

Each is an error: a run would do something else than was declared. Whoever builds a feature deletes its line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec import Struct

from syncline.kinds.import_ import ImportSpec
from syncline.kinds.sync import SyncSpec
from syncline.manifests.findings import Problem
from syncline.model.manifest import Manifest, Path


class Feature(Struct, frozen=True):
    """A part of the language that can't run: where it stands, its name, what to do."""

    path: Path
    name: str
    help: str
    at_key: bool = True


def _guards(spec: SyncSpec | ImportSpec) -> Iterator[Feature]:
    guards = spec.guards
    if guards.max_deletes is not None and spec.write == "replace":
        yield Feature(
            ("spec", "guards", "maxDeletes"),
            "maxDeletes for write: replace",
            "Use maxShrink: it bounds what a replaced table may lose.",
        )
    if guards.max_shrink is not None and not guards.max_shrink.endswith("%"):
        yield Feature(("spec", "guards", "maxShrink"), "maxShrink as a count", "Write it as a share, such as 10%.")


def _sync(spec: SyncSpec) -> Iterator[Feature]:
    yield from _guards(spec)
    if spec.conflicts != "source":
        yield Feature(
            ("spec", "conflicts"),
            f"conflicts: {spec.conflicts}",
            "Leave it out: the source wins.",
            at_key=False,
        )


def _import(spec: ImportSpec) -> Iterator[Feature]:
    yield from _guards(spec)


_FEATURES: Final[dict[str, Callable[[Any], Iterator[Feature]]]] = {
    "Sync": _sync,
    "Import": _import,
}


def unexecuted(manifest: Manifest) -> Iterator[Problem]:
    """Every feature that a manifest declares and this version doesn't execute."""
    features = _FEATURES.get(manifest.key.kind)
    for feature in features(manifest.spec) if features else ():
        yield Problem(
            "SYN240",
            feature.path,
            f"this version doesn't execute {feature.name}, so this can't run",
            help=feature.help,
            at_key=feature.at_key,
        )
