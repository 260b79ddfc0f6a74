"""Manifests in: files and texts to validated `Manifest`s, with every finding of every file at once.

What is checked here needs one document only; `resolve.py` looks across them. Documents of other programs are left
alone: those that neither name an `apiVersion` of ours nor look like a misspelt one.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any, Final

import orjson
from pydantic import BaseModel, ValidationError

from syncline.kinds import KIND_BY_NAME
from syncline.manifests import credentials
from syncline.manifests.checks import check
from syncline.manifests.envelope import API_VERSION, Envelope, Metadata
from syncline.manifests.findings import Problem, credential, problems
from syncline.manifests.node import Node, Places
from syncline.manifests.text import MAX_BYTES, Text, checked, decode, listed, nearest
from syncline.manifests.yaml import compose
from syncline.model.diagnostic import Diagnostic, Place, Severity
from syncline.model.errors import Bug
from syncline.model.key import ObjectKey
from syncline.model.kind import Kind
from syncline.model.manifest import Manifest, Moved, Path

ENDINGS: Final = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What was loaded: valid manifests in order of file and position, all findings in order, the files read.

    `broken` names the objects that are declared, but not validly: references to them are not unknown.
    """

    manifests: tuple[Manifest, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    files: tuple[str, ...] = ()
    broken: tuple[ObjectKey, ...] = ()


def load_tree(root: FilePath, *, ignore: Iterable[str] = ()) -> LoadResult:
    """Loads every `*.yaml` and `*.yml` under a folder, in sorted order.

    Folders that begin with a dot are skipped, as are the paths (relative to the root, files or folders) in `ignore`.
    Symbolic links are followed to files inside the root only.
    """
    results = [_load_file(root, name) for name in _files(root, frozenset(ignore))]
    diagnostics = sorted((d for r in results for d in r.diagnostics), key=Diagnostic.sort_key)
    return LoadResult(
        manifests=tuple(m for r in results for m in r.manifests),
        diagnostics=tuple(diagnostics),
        files=tuple(f for r in results for f in r.files),
        broken=tuple(k for r in results for k in r.broken),
    )


def load_text(content: str, file: str) -> LoadResult:
    """Loads the documents of a text; `file` is the name that findings give it."""
    text = checked(Text(file, content.removeprefix("\ufeff")))
    if isinstance(text, Diagnostic):
        return LoadResult(diagnostics=(text,), files=(file,))
    return _load(text)


def from_document(document: str) -> Manifest:
    """The manifest that `to_document` made a document of: what is recorded as applied. It has no places."""
    data = orjson.loads(document)
    kind = KIND_BY_NAME.get(data["kind"])
    if kind is None:
        raise Bug(f"a recorded object has the unknown kind {data['kind']!r}")
    metadata = Metadata.model_validate_json(orjson.dumps(data["metadata"]))
    spec = kind.spec.model_validate_json(orjson.dumps(data["spec"]))
    return _manifest(data, kind, metadata, spec, Place(""), {}, {})


def to_document(manifest: Manifest) -> str:
    """The declaration as canonical JSON: the same for equal declarations, wherever and however they are written.

    Comments, the order of fields, annotations and `moved` are not part of it. Its SHA-256 is the manifest's digest.
    """
    return _document(manifest.source).decode()


def _document(data: Mapping[str, Any]) -> bytes:
    # orjson writes the shortest form of each number and sorts by code point: canonical for what `yaml.py` lets in.
    metadata = data["metadata"]
    declared = {"apiVersion": data["apiVersion"], "kind": data["kind"], "spec": data["spec"]}
    declared["metadata"] = {n: metadata[n] for n in ("name", "tenant", "labels", "protected") if metadata.get(n)}
    return orjson.dumps(declared, option=orjson.OPT_SORT_KEYS)


# --- files -----------------------------------------------------------------------------------------------------------


def _files(root: FilePath, ignore: frozenset[str]) -> list[str]:
    found: list[str] = []
    for folder, folders, files in os.walk(root):
        at = os.path.relpath(folder, root)
        prefix = "" if at == "." else at.replace(os.sep, "/") + "/"
        folders[:] = sorted(f for f in folders if not f.startswith(".") and prefix + f not in ignore)
        found += [
            prefix + f for f in files if f.endswith(ENDINGS) and not f.startswith(".") and prefix + f not in ignore
        ]
    return sorted(found)


def _load_file(root: FilePath, name: str) -> LoadResult:
    path = root / name
    try:
        if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
            return _unreadable(name, "the link leads out of the folder that is loaded", "Copy the file into it.")
        if not path.is_file():
            return _unreadable(name, "it is not a regular file", "Remove it, or give it another ending.")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        return _unreadable(name, f"it can't be read: {error.strerror}", "Check the link and the permissions.")
    text = decode(data, name)
    if isinstance(text, Text):
        text = checked(text)
    if isinstance(text, Text):
        result = _load(text)
        return result if b"syncline/" in data else _softened(result)
    ours = b"syncline/" in data.replace(b"\0", b"")
    result = LoadResult(diagnostics=(text,), files=(name,))
    return result if ours else _softened(result)


def _unreadable(name: str, why: str, help_: str) -> LoadResult:
    return LoadResult(diagnostics=(Diagnostic("SYN114", why, Place(name), help=help_),), files=(name,))


def _softened(result: LoadResult) -> LoadResult:
    # A file that can't be read and doesn't mention us may belong to another program: said, but no error.
    return replace(
        result,
        diagnostics=tuple(
            replace(d, severity=Severity.warning, help=(d.help + " It was not loaded.").strip())
            if d.code.startswith("SYN1")
            else d
            for d in result.diagnostics
        ),
    )


# --- documents -------------------------------------------------------------------------------------------------------


def _load(text: Text) -> LoadResult:
    composed = compose(text)
    manifests: list[Manifest] = []
    broken: list[ObjectKey] = []
    diagnostics = list(composed.diagnostics)
    secrets: list[Node] = []
    for root in composed.documents:
        if not _is_ours(root):
            continue
        found, manifest, key = _validate(root, text, secrets)
        diagnostics += found
        if manifest is not None and not composed.diagnostics:
            manifests.append(manifest)
        elif key is not None:
            broken.append(key)
    if composed.diagnostics:
        broken += [key for key in _mentioned(text.content) if key not in broken]
    if secrets:
        diagnostics = [_masked(d, secrets) for d in diagnostics]
    # A value that aliases repeat is wrong once.
    diagnostics = sorted(dict.fromkeys(diagnostics), key=Diagnostic.sort_key)
    return LoadResult(tuple(manifests), tuple(diagnostics), (text.file,), tuple(broken))


_MENTIONS: Final = {
    field: re.compile(rf"\b{field}:\s*[\"']?([A-Za-z0-9][-A-Za-z0-9]*)") for field in ("kind", "name", "tenant")
}


def _mentioned(content: str) -> Iterator[ObjectKey]:
    """The objects that a file seems to declare, where a mistake kept its documents from being read."""
    for document in re.split(r"(?m)^---", content):
        kind, name, tenant = (pattern.search(document) for pattern in _MENTIONS.values())
        if kind and name:
            yield ObjectKey(tenant[1] if tenant else "", kind[1], name[1])


def _is_ours(root: Node) -> bool:
    if not isinstance(root.data, dict):
        return False
    version, kind = root.data.get("apiVersion"), root.data.get("kind")
    if isinstance(version, str):
        return version.startswith("syncline/") or (kind in KIND_BY_NAME and nearest(version, [API_VERSION]) != "")
    return isinstance(kind, str) and kind in KIND_BY_NAME and "spec" in root.data


def _validate(
    root: Node, text: Text, secrets: list[Node]
) -> tuple[list[Diagnostic], Manifest | None, ObjectKey | None]:
    data = root.data
    envelope, found = _envelope(root)
    kind = KIND_BY_NAME.get(data.get("kind"))
    spec: BaseModel | None = None
    if kind is not None and isinstance(data.get("spec"), dict):
        spec, wrong = _spec(kind, root)
        found += wrong
        if spec is not None:
            found += check(kind.name, spec)
    metadata = envelope.metadata if envelope else None
    if kind is not None:
        found += _scope(kind, data.get("metadata"))
    for path, what in credentials.find(root, text.content):
        found.append(credential(path, what))
    places, key_places = Places(text.file, root), Places(text.file, root, of_keys=True)
    key = _key(data)
    found = _distinct(found)
    for problem in found:
        node = root.at(problem.path) if problem.code == "SYN210" else None
        if node is not None and isinstance(node.data, str):
            secrets.append(node)
    diagnostics = [diagnose(p, text, places, key_places, str(key or "")) for p in found]
    if any(not p.warning for p in found) or kind is None or metadata is None or spec is None:
        return diagnostics, None, key
    return diagnostics, _manifest(data, kind, metadata, spec, text.place(root.span), places, key_places), key


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
    try:
        return kind.spec.model_validate_json(orjson.dumps(root.data["spec"]), strict=True), []
    except ValidationError as error:
        return None, problems(error.errors(include_url=False), root, ("spec",), kind.spec)
    except (TypeError, orjson.JSONEncodeError):
        return None, []  # the number is a finding already


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
    problem: Problem, text: Text, places: Mapping[Path, Place], key_places: Mapping[Path, Place], subject: str
) -> Diagnostic:
    """A problem as a finding, at the nearest place that the document has for its path."""
    path = problem.path
    place = key_places.get(path) if problem.at_key else None
    while place is None:
        place = places.get(path)
        path = path[:-1]
    return text.finding(
        problem.code,
        problem.message,
        place,
        severity=Severity.warning if problem.warning else Severity.error,
        expected=problem.expected,
        suggestion=problem.suggestion,
        help=problem.help,
        subject=subject,
    )


def _masked(finding: Diagnostic, secrets: Sequence[Node]) -> Diagnostic:
    # Longest first, so that one value which contains another leaves no rest.
    values = sorted(
        {line for node in secrets for line in node.data.splitlines() if line.strip()}, key=len, reverse=True
    )

    def mask(text: str) -> str:
        for value in values:
            text = text.replace(value, "*" * len(value))
        return text

    excerpt = mask(finding.excerpt)
    line = finding.place.line - 1 if finding.place else -1
    for first, start, last, end in (node.span for node in secrets):
        if first <= line <= last:  # as it is written, which escapes and quotes can make another text
            begin, stop = start if line == first else 0, end if line == last else len(excerpt)
            excerpt = excerpt[:begin] + "*" * len(excerpt[begin:stop]) + excerpt[stop:]
    return replace(finding, message=mask(finding.message), excerpt=excerpt, suggestion=mask(finding.suggestion))


def _manifest(
    data: Mapping[str, Any],
    kind: Kind,
    metadata: Metadata,
    spec: BaseModel,
    place: Place,
    places: Mapping[Path, Place],
    key_places: Mapping[Path, Place],
) -> Manifest:
    moved = metadata.moved
    tenant = metadata.tenant or ""
    return Manifest(
        key=ObjectKey(tenant, kind.name, metadata.name),
        spec=spec,
        digest=hashlib.sha256(_document(data)).hexdigest(),
        place=place,
        labels=metadata.labels,
        annotations=metadata.annotations,
        moved=Moved(moved.name, tenant if moved.tenant is None else moved.tenant) if moved else None,
        protected=metadata.protected,
        source=data,
        places=places,
        key_places=key_places,
    )
