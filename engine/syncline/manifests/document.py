"""One document of a file to a manifest: its envelope, its spec, what its kind demands, and no credentials in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from weakref import WeakValueDictionary

import orjson
from msgspec import Struct
from pydantic import BaseModel, ValidationError

from syncline.kinds import KIND_BY_NAME
from syncline.kinds.connector import ConnectorSpec
from syncline.manifests import credentials
from syncline.manifests.demands.checks import check
from syncline.manifests.envelope import API_VERSION, Envelope, Metadata
from syncline.manifests.findings import Problem, credential, problems
from syncline.manifests.node import Node, Places
from syncline.manifests.positions import KeptPlaces, Positions
from syncline.manifests.text import Text, listed, nearest
from syncline.model.diagnostic import Diagnostic, Place, Severity
from syncline.model.key import ObjectKey
from syncline.model.kind import Kind
from syncline.model.manifest import Manifest, Moved, Path

#: Manifests in memory, by the digests of their declarations.
_ALIVE: Final[WeakValueDictionary[str, Manifest]] = WeakValueDictionary()


def is_ours(root: Node) -> bool:
    """Whether a document is a manifest, or was meant to be one."""
    if not isinstance(root.data, dict):
        return False
    version = root.data.get("apiVersion")
    if isinstance(version, str) and version.startswith("syncline/"):
        return True
    if _kind(root.data) is None:
        return False
    return nearest(version, [API_VERSION]) != "" if isinstance(version, str) else "spec" in root.data


class Document(Struct, frozen=True):
    """A document that was checked: its manifest if it is valid, what it is called, all findings, and the values in it
    that nobody may see.
    """

    manifest: Manifest | None
    key: ObjectKey | None
    diagnostics: tuple[Diagnostic, ...]
    secrets: tuple[Node, ...]


def validate(root: Node, text: Text, others: Mapping[str, Text] | None = None) -> Document:
    """
    Checks a document of ours.

    `others` are the texts of the other files that parts of a rendered one come from, by name; None for one as written.
    """
    texts = {**(others or {}), text.file: text}
    data = root.data
    kind = _kind(data)
    envelope, found = _envelope(root)
    spec: BaseModel | None = None
    if kind is not None:
        found += _scope(kind, data.get("metadata"))
        if isinstance(data.get("spec"), dict):
            spec, wrong = _spec(kind, root)
            found += wrong
        if spec is not None:
            found += check(kind.name, spec)
    if others is None:
        found += _environments(data.get("metadata"))
    content = "\n".join(t.content for t in texts.values())
    found += [credential(path, what) for path, what in credentials.find(root, content)]
    found = _distinct(found)
    key = _key(data)
    places, key_places = Places(text.file, root), Places(text.file, root, of_keys=True)
    manifest: Manifest | None = None
    if kind is not None and envelope is not None and spec is not None and all(p.warning for p in found):
        place, kept = text.place(root.span), Positions(text.file, root)
        manifest = manifest_of(
            data, kind, envelope.metadata, spec, place, KeptPlaces(kept), KeptPlaces(kept, of_keys=True)
        )
    leaked = (root.at(p.path) for p in found if p.code == "SYN210")
    return Document(
        manifest,
        key,
        tuple(diagnose(p, texts, places, key_places, str(key or "")) for p in found),
        tuple(node for node in leaked if node is not None and isinstance(node.data, str)),
    )


def _kind(data: Mapping[str, Any]) -> Kind | None:
    name = data.get("kind")
    return KIND_BY_NAME.get(name) if isinstance(name, str) else None


def _envelope(root: Node) -> tuple[Envelope | None, list[Problem]]:
    data = root.data
    found: list[Problem] = []
    envelope: Envelope | None = None
    try:
        envelope = Envelope.model_validate_json(orjson.dumps({**data, "spec": {}} if _has_spec(data) else data))
    except ValidationError as error:
        found = problems(error.errors(include_url=False), root, (), Envelope)
    except (TypeError, orjson.JSONEncodeError):
        return None, [Problem("SYN112", (), "the document holds a number that doesn't fit in 64 bits")]
    found = [_version(data) if p.path == ("apiVersion",) and p.code != "SYN202" else p for p in found]
    name = data.get("kind")
    if isinstance(name, str) and name not in KIND_BY_NAME:
        suggestion = nearest(name, KIND_BY_NAME)
        found.append(
            Problem("SYN207", ("kind",), f"unknown kind {name!r}", expected=listed(KIND_BY_NAME), suggestion=suggestion)
        )
    return envelope, found


def _has_spec(data: Mapping[str, Any]) -> bool:
    return isinstance(data.get("spec"), dict)


def _version(data: Mapping[str, Any]) -> Problem:
    message = f"unknown apiVersion {data['apiVersion']!r}"
    return Problem("SYN206", ("apiVersion",), message, expected=API_VERSION, suggestion=API_VERSION)


def _spec(kind: Kind, root: Node) -> tuple[BaseModel | None, list[Problem]]:
    data = root.data["spec"]
    try:
        text = orjson.dumps(data)
        return _by_short_model(kind, data, text) or kind.spec.model_validate_json(text, strict=True), []
    except ValidationError as error:
        return None, problems(error.errors(include_url=False), root, ("spec",), kind.spec)
    except (TypeError, orjson.JSONEncodeError):
        return None, []  # the number is a finding already


def _by_short_model(kind: Kind, data: Mapping[str, Any], text: bytes) -> BaseModel | None:
    """A spec that fits the kind's short model; None where the whole one is to say."""
    short = kind.short
    if short is None or not data.keys() <= {field.alias for field in short.model_fields.values()}:
        return None
    try:
        spec = short.model_validate_json(text, strict=True)
    except ValidationError:
        return None
    return kind.spec.model_construct(spec.model_fields_set, **dict(spec))


def _scope(kind: Kind, metadata: object) -> Iterator[Problem]:
    if not isinstance(metadata, dict):
        return
    tenant = metadata.get("tenant")
    if kind.scope == "tenant" and tenant is None:
        yield Problem(
            "SYN209",
            ("metadata",),
            f"a {kind.name} belongs to a tenant",
            expected="metadata.tenant",
            help="Add the tenant's name.",
        )
    if kind.scope == "shared" and tenant is not None:
        yield Problem(
            "SYN209",
            ("metadata", "tenant"),
            f"a {kind.name} is shared and belongs to no tenant",
            help="Remove metadata.tenant.",
            at_key=True,
        )


def _environments(metadata: object) -> Iterator[Problem]:
    if isinstance(metadata, dict) and metadata.get("environments"):
        message = "this repository declares no environments"
        help_ = "Declare them in environments.yaml, or remove this."
        yield Problem("SYN281", ("metadata", "environments"), message, help=help_, at_key=True)


def _key(data: Mapping[str, Any]) -> ObjectKey | None:
    metadata, kind = data.get("metadata"), data.get("kind")
    if not isinstance(metadata, dict) or not isinstance(kind, str):
        return None
    name, tenant = metadata.get("name"), metadata.get("tenant")
    return ObjectKey(tenant if isinstance(tenant, str) else "", kind, name) if isinstance(name, str) else None


def _distinct(found: Iterable[Problem]) -> list[Problem]:
    # A credential is reported once, and as nothing else.
    found = list(dict.fromkeys(found))
    leaked = {p.path for p in found if p.code == "SYN210"}
    seen: set[Path] = set()
    kept: list[Problem] = []
    for problem in found:
        if problem.path in leaked:
            if problem.code != "SYN210" or problem.path in seen:
                continue
            seen.add(problem.path)
        kept.append(problem)
    return kept


def diagnose(
    problem: Problem,
    texts: Mapping[str, Text],
    places: Mapping[Path, Place],
    key_places: Mapping[Path, Place],
    subject: str = "",
) -> Diagnostic:
    """A problem as a finding, at the nearest place that the document has for its path; `texts` are its files."""
    path = problem.path
    place = key_places.get(path) if problem.at_key else None
    while place is None:
        place = places.get(path)
        path = path[:-1]
    return texts[place.file].finding(
        problem.code,
        problem.message,
        place,
        severity=Severity.warning if problem.warning else Severity.error,
        expected=problem.expected,
        suggestion=problem.suggestion,
        help=problem.help,
        subject=subject,
    )


def manifest_of(
    data: Mapping[str, Any],
    kind: Kind,
    metadata: Metadata,
    spec: BaseModel,
    place: Place,
    places: Mapping[Path, Place],
    key_places: Mapping[Path, Place],
) -> Manifest:
    """The manifest of a document whose parts are valid."""
    moved = metadata.moved
    tenant = metadata.tenant or ""
    version = f"@{spec.version}" if isinstance(spec, ConnectorSpec) else ""
    made = Manifest(
        key=ObjectKey(tenant, kind.name, metadata.name + version),
        spec=spec,
        digest=hashlib.sha256(canonical(data)).hexdigest(),
        place=place,
        labels=metadata.labels,
        annotations=metadata.annotations,
        moved=Moved(moved.name, tenant if moved.tenant is None else moved.tenant) if moved else None,
        protected=metadata.protected,
        document=orjson.dumps(data).decode(),  # a text takes what it needs; what dumps gives has room to spare
        places=places,
        key_places=key_places,
    )
    _ALIVE[made.digest] = made
    return made


def alive(digest: str) -> Manifest | None:
    """A manifest in memory whose declaration has this digest, wherever it is written."""
    return _ALIVE.get(digest)


def canonical(data: Mapping[str, Any]) -> bytes:
    """What a document declares, as canonical JSON: the basis of its digest."""
    # orjson writes the shortest form of each number and sorts by code point: canonical for what `yaml.py` lets in.
    metadata = data["metadata"]
    declared = {"apiVersion": data["apiVersion"], "kind": data["kind"], "spec": data["spec"]}
    declared["metadata"] = {n: metadata[n] for n in ("name", "tenant", "labels", "protected") if metadata.get(n)}
    return orjson.dumps(declared, option=orjson.OPT_SORT_KEYS)
