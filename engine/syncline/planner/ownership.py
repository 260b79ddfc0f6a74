"""Which source owns which object, and what a source may declare: each object has one owner, who keeps it.

The owner is kept with what is applied. What a source doesn't own stays as it is, whatever that source's commits say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from msgspec import Struct

from syncline.kinds.source import Declares, SourceSpec
from syncline.manifests.load import from_document
from syncline.manifests.text import nearest
from syncline.model.diagnostic import Diagnostic, Place, Related, Severity
from syncline.model.key import FIRST, ObjectKey
from syncline.model.manifest import Manifest
from syncline.state.store import AppliedObject

#: Kinds that bind tenants, and sources themselves: the first source's alone.
FIRSTS = frozenset({"Tenant", "Source"})


def shown(source: str) -> str:
    """A source's name as people read it."""
    return source or FIRST


class Ownership(Struct, frozen=True):
    """The view of one source ('' is the first): what may be declared by it, and what stays as it is applied."""

    source: str
    sources: Mapping[str, SourceSpec]
    applied: Mapping[ObjectKey, AppliedObject]

    @classmethod
    def of(cls, source: str, declared: Iterable[Manifest], applied: Mapping[ObjectKey, AppliedObject]) -> Ownership:
        """By the sources that are declared: for the first, in what it declares now; for others, in what is applied."""
        if source:
            first = [known for key, known in applied.items() if key.kind == "Source" and not known.source]
            declared = [from_document(known.document) for known in first]
        return cls(source, {m.key.name: m.spec for m in declared if isinstance(m.spec, SourceSpec)}, applied)

    @property
    def several(self) -> bool:
        """Whether anything is, or could be, another source's."""
        return bool(self.source or self.sources) or any(known.source for known in self.applied.values())

    def others(self, declared: Collection[ObjectKey]) -> list[Manifest]:
        """What stays as it is applied, beside what this source declares: of other sources, and what it gives away."""
        return [
            replace(from_document(known.document), digest=known.digest, place=place_of(known))
            for key, known in self.applied.items()
            if key not in declared and (known.source != self.source or self._given(key))
        ]

    def taken(self, declared: Collection[ObjectKey]) -> dict[ObjectKey, str]:
        """The objects among those that are declared which become this source's, and whose they were."""
        known = ((key, self.applied[key].source) for key in declared if key in self.applied)
        return {key: source for key, source in known if source != self.source}

    def findings(self, declared: Iterable[Manifest]) -> Iterator[Diagnostic]:
        """What this source declares and may not, or another one has."""
        if self.source and self.source not in self.sources:
            yield self._unknown()
            return
        for manifest in declared:
            yield from self._allowed(manifest)
            for key in (manifest.key, manifest.previous):
                if key is not None and not self._takes(key, moved=key != manifest.key):
                    yield self._another(manifest, self.applied[key])

    def _unknown(self) -> Diagnostic:
        near = nearest(self.source, self.sources)
        return Diagnostic(
            "SYN745",
            f"there is no Source/{self.source} among what is applied" + (f"; did you mean {near}?" if near else ""),
            help=f"Name one that is applied (`syncline get sources`), or have Source/{self.source} applied first.",
        )

    def left(self) -> Iterator[Diagnostic]:
        """Warnings about objects of sources that are no longer declared."""
        if self.source:
            return
        for key, known in self.applied.items():
            if key.kind != "Source" or known.source or key.name in self.sources:
                continue
            number = sum(applied.source == key.name for applied in self.applied.values())
            if number:
                yield Diagnostic(
                    "SYN747",
                    f"{key} is no longer declared: {number} objects that are declared there stay as they are",
                    severity=Severity.warning,
                    place=place_of(known),
                    subject=str(key),
                    help="They belong to nobody then: whichever source declares one gets it. To retire them, remove "
                    "them in that source first, or declare and then remove them here.",
                )

    def owns(self, key: ObjectKey) -> bool:
        """Whether an object that isn't declared is this source's to change."""
        known = self.applied.get(key)
        return known is None or (known.source == self.source and not self._given(key))

    def _allowed(self, manifest: Manifest) -> Iterator[Diagnostic]:
        key = manifest.key
        if not self.source:
            if key == ObjectKey("", "Source", FIRST):
                yield Diagnostic(
                    "SYN745",
                    f"a Source can't be called {FIRST}: that is this repository",
                    place=manifest.place_of("metadata", "name"),
                    subject=str(key),
                    help="Give it another name.",
                )
            return
        spec = self.sources.get(self.source)
        if spec is not None and _may(spec.declares, key):
            return
        only = f"A {key.kind} is declared in {FIRST} only."
        more = f"Have spec.declares of Source/{self.source} extended in {FIRST}, or declare it where it belongs."
        yield Diagnostic(
            "SYN745",
            f"{key} may not be declared by the source {self.source}",
            place=manifest.place_of("metadata", "name"),
            subject=str(key),
            expected=_said(spec.declares) if spec is not None else f"Source/{self.source}, applied",
            help=only if key.kind in FIRSTS else more,
        )

    def _another(self, manifest: Manifest, known: AppliedObject) -> Diagnostic:
        owner, place = shown(known.source), place_of(known)
        return Diagnostic(
            "SYN744",
            f"{known.key} is declared by the source {owner}, at {known.revision[:12] or 'no commit'}",
            place=manifest.place_of("metadata", "name"),
            subject=str(manifest.key),
            help=f"Leave it out here. To move it here with its position and history, have spec.transfers of the Source "
            f"say so in {FIRST}: {{objects: [{known.key}], from: {owner}}}.",
            related=(Related(place, "applied from here"),) if place.file else (),
        )

    def _takes(self, key: ObjectKey, *, moved: bool = False) -> bool:
        """Whether this source has an object, or may have it. One that changes its name stays with its source."""
        known = self.applied.get(key)
        if known is None or known.source == self.source:
            return True
        if moved:
            return False
        if known.source and known.source not in self.sources and source_of(known.source) not in self.applied:
            return True  # nobody's any more
        return self._transfers(key, known.source, self.source)

    def _given(self, key: ObjectKey) -> bool:
        """Whether this source gives an object of its own to another one."""
        return any(self._transfers(key, self.source, other) for other in {*self.sources, ""} - {self.source})

    def _transfers(self, key: ObjectKey, giver: str, receiver: str) -> bool:
        given = self.sources[giver].transfers if giver in self.sources else ()
        taken = self.sources[receiver].transfers if receiver in self.sources else ()
        return any(str(key) in t.objects and t.to == shown(receiver) for t in given) or any(
            str(key) in t.objects and t.from_ == shown(giver) for t in taken
        )


def source_of(name: str) -> ObjectKey:
    """The object that declares a source."""
    return ObjectKey("", "Source", name)


def place_of(known: AppliedObject) -> Place:
    """Where an applied object is declared, its file after the name of its source; no file where that isn't known."""
    file, _, column = known.place.rpartition(":")
    file, _, line = file.rpartition(":")
    if not (file and line.isdecimal() and column.isdecimal()):
        return Place("")
    return Place(f"{shown(known.source)}:{file}", int(line), int(column))


def _may(declares: Declares, key: ObjectKey) -> bool:
    if key.kind in FIRSTS:
        return False
    if not key.tenant:
        return key.kind in declares.shared
    return key.tenant in declares.tenants and (key.kind in declares.kinds if declares.kinds else key.kind != "Policy")


def _said(declares: Declares) -> str:
    """What a source may declare, in words."""
    kinds = ", ".join(declares.kinds) or "every kind but Policy"
    parts = [f"{kinds} of {', '.join(declares.tenants)}"] if declares.tenants else []
    parts += [f"shared {', '.join(declares.shared)}"] if declares.shared else []
    return "; ".join(parts) or "nothing"
