"""What the language declares and this version doesn't do yet: each is a finding, nothing is promised in silence.

An error where a run would do something else than was declared; a warning where it is only left out. Whoever builds a
feature deletes its line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from syncline.kinds.import_ import ImportSpec
from syncline.kinds.sync import SyncSpec
from syncline.kinds.tenant import TenantSpec
from syncline.manifests.findings import Problem
from syncline.model.manifest import Manifest, Path


@dataclass(frozen=True, slots=True)
class Feature:
    """A part of the language without an effect: where it stands, its name, what to do; `wrong` makes it an error."""

    path: Path
    name: str
    help: str
    wrong: bool = False
    at_key: bool = True


def _guards(spec: SyncSpec | ImportSpec) -> Iterator[Feature]:
    guards = spec.guards
    if guards.max_deletes is not None and spec.write == "replace":
        yield Feature(
            ("spec", "guards", "maxDeletes"),
            "maxDeletes for write: replace",
            "Use maxShrink: it bounds what a replaced table may lose.",
            wrong=True,
        )
    if guards.max_shrink is not None and not guards.max_shrink.endswith("%"):
        yield Feature(
            ("spec", "guards", "maxShrink"), "maxShrink as a count", "Write it as a share, such as 10%.", wrong=True
        )


def _sync(spec: SyncSpec) -> Iterator[Feature]:
    yield from _guards(spec)
    if spec.conflicts != "source":
        yield Feature(
            ("spec", "conflicts"),
            f"conflicts: {spec.conflicts}",
            "Leave it out: the source wins.",
            wrong=True,
            at_key=False,
        )


def _import(spec: ImportSpec) -> Iterator[Feature]:
    yield from _guards(spec)


def _tenant(spec: TenantSpec) -> Iterator[Feature]:
    if spec.quotas.spool is not None:
        yield Feature(("spec", "quotas", "spool"), "the quota spool", "Nothing is refused by it yet.")
    for field in ("access", "keys"):
        if field in spec.model_fields_set:
            yield Feature(("spec", field), f"enforcing {field}", "Nothing is refused because of it yet.")


_FEATURES: Final[dict[str, Callable[[Any], Iterator[Feature]]]] = {
    "Sync": _sync,
    "Import": _import,
    "Tenant": _tenant,
}


def unexecuted(manifest: Manifest) -> Iterator[Problem]:
    """Every feature that a manifest declares and this version doesn't execute."""
    features = _FEATURES.get(manifest.key.kind)
    for feature in features(manifest.spec) if features else ():
        consequence = "so this can't run" if feature.wrong else "so it has no effect"
        yield Problem(
            "SYN240" if feature.wrong else "SYN241",
            feature.path,
            f"this version doesn't execute {feature.name}, {consequence}",
            help=feature.help,
            at_key=feature.at_key,
            warning=not feature.wrong,
        )
