"""Manifests in: files and texts to validated `Manifest`s, with every finding of every file at once.

What is checked here needs one document only; `resolve.py` looks across them. Documents of other programs are left
alone: those that neither name an `apiVersion` of ours nor look like a misspelt one.
"""

from __future__ import annotations

import gc
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any, Final
from weakref import WeakValueDictionary

import orjson
from msgspec import Struct, field, structs

from syncline.kinds import KIND_BY_NAME
from syncline.manifests.document import Document, alive, canonical, is_ours, manifest_of, validate
from syncline.manifests.envelope import Metadata
from syncline.manifests.files import SAVED, Unsaved, names, read, softened
from syncline.manifests.kept import Kept
from syncline.manifests.node import Node
from syncline.manifests.text import Text, checked
from syncline.manifests.yaml import Composed, compose
from syncline.model.diagnostic import Diagnostic, Place, Related
from syncline.model.errors import Bug
from syncline.model.key import ObjectKey
from syncline.model.manifest import Manifest


class LoadResult(Struct, frozen=True):
    """What was loaded: valid manifests in order of file and position, all findings in order, the files read.

    `broken` names the objects that are declared, but not validly: references to them are not unknown. `given` says
    where the variables in the value at a place are given, and `formerly` is the old name of the environment.
    """

    manifests: tuple[Manifest, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    files: tuple[str, ...] = ()
    broken: tuple[ObjectKey, ...] = ()
    given: Mapping[Place, tuple[Related, ...]] = field(default_factory=dict)
    formerly: str = ""


def load_tree(
    root: FilePath, *, ignore: Iterable[str] = (), kept: Kept | None = None, unsaved: Unsaved = SAVED
) -> LoadResult:
    """Loads every `*.yaml` and `*.yml` under a folder, in sorted order.

    Folders that begin with a dot are skipped, as are the paths (relative to the root, files or folders) in `ignore`.
    Symbolic links are followed to files inside the root only. `kept` is what was loaded before, `unsaved` texts that
    stand for those of files.
    """
    with uncollected():
        parts = (_load_file(root, name, kept, unsaved) for name in names(root, frozenset(ignore), unsaved))
        return together(parts) if kept is None else kept.together(parts, together)


def together(results: Iterable[LoadResult]) -> LoadResult:
    """What several files gave, as one."""
    results = list(results)
    return LoadResult(
        manifests=tuple(m for r in results for m in r.manifests),
        diagnostics=tuple(sorted((d for r in results for d in r.diagnostics), key=Diagnostic.sort_key)),
        files=tuple(f for r in results for f in r.files),
        broken=tuple(k for r in results for k in r.broken),
    )


def load_text(content: str, file: str) -> LoadResult:
    """Loads the documents of a text; `file` is the name that findings give it."""
    text = checked(Text(file, content.removeprefix("\ufeff")))
    if isinstance(text, Diagnostic):
        return LoadResult(diagnostics=(text,), files=(file,))
    return load_composed(text, compose(text))


def from_document(document: str) -> Manifest:
    """
    The manifest that `to_document` made a document of: what is recorded as applied. It has no places.

    One that is in memory is not made again, and a new one shares what it can with an equal one that has places, as what
    is declared mostly is with what is applied.
    """
    digest = hashlib.sha256(document.encode()).hexdigest()
    made = _RECORDED.get(digest)
    if made is None:
        equal = alive(digest)
        made = _RECORDED[digest] = _made(document) if equal is None else replace(equal, **_NOWHERE)
    return made


#: Manifests in memory that were made of documents, by the digests of those.
_RECORDED: Final[WeakValueDictionary[str, Manifest]] = WeakValueDictionary()
#: What one without places has instead of them.
_NOWHERE: Final[dict[str, Any]] = {"place": Place(""), "annotations": {}, "moved": None, "places": {}, "key_places": {}}


def _made(document: str) -> Manifest:
    data = orjson.loads(document)
    kind = KIND_BY_NAME.get(data["kind"])
    if kind is None:
        raise Bug(f"a recorded object has the unknown kind {data['kind']!r}")
    metadata = Metadata.model_validate_json(orjson.dumps(data["metadata"]))
    spec = kind.spec.model_validate_json(orjson.dumps(data["spec"]))
    return manifest_of(data, kind, metadata, spec, Place(""), {}, {})


def to_document(manifest: Manifest) -> str:
    """The declaration as canonical JSON: the same for equal declarations, wherever and however they are written.

    Comments, the order of fields, annotations and `moved` are not part of it. Its SHA-256 is the manifest's digest.
    """
    return canonical(manifest.source).decode()


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the cyclic garbage collector: everything that loading makes is kept, and looking through it for cycles
    again and again takes half of the time (1.9 s of 3.6 s for 5,000 manifests).
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _load_file(root: FilePath, name: str, kept: Kept | None, unsaved: Unsaved) -> LoadResult:
    file = read(root, name, unsaved)
    if isinstance(file, Diagnostic):
        return LoadResult(diagnostics=(file,), files=(name,))
    text, ours = file.text, file.ours

    def load() -> LoadResult:
        return load_composed(text, compose(text), ours=ours)

    return load() if kept is None else kept.file(text, load)


def load_composed(
    text: Text, composed: Composed, check: Callable[[Node, Text], Document] = validate, *, ours: bool = True
) -> LoadResult:
    """What the documents of a text declare; `check` judges one. If it isn't `ours`, it may be another program's."""
    documents = [check(root, text) for root in composed.documents if is_ours(root)]
    # What was read of a file with a mistake in its YAML may not be what was meant: nothing of it counts.
    readable = not composed.diagnostics
    manifests = tuple(d.manifest for d in documents if d.manifest is not None and readable)
    broken = [d.key for d in documents if d.key is not None and (d.manifest is None or not readable)]
    if not readable:
        broken += [key for key in _mentioned(text.content) if key not in broken]
    diagnostics = [*composed.diagnostics, *(finding for d in documents for finding in d.diagnostics)]
    secrets = [node for d in documents for node in d.secrets]
    if secrets:
        diagnostics = [masked(d, secrets, text.file) for d in diagnostics]
    if not ours:
        diagnostics = [softened(d) for d in diagnostics]
    # A value that aliases repeat is wrong once.
    found = tuple(sorted(dict.fromkeys(diagnostics), key=Diagnostic.sort_key))
    return LoadResult(manifests, found, (text.file,), tuple(broken))


_MENTIONS: Final = {
    field: re.compile(rf"\b{field}:\s*[\"']?([A-Za-z0-9][-A-Za-z0-9]*)") for field in ("kind", "name", "tenant")
}


def _mentioned(content: str) -> Iterator[ObjectKey]:
    """The objects that a file seems to declare, where a mistake kept its documents from being read."""
    for document in re.split(r"(?m)^---", content):
        kind, name, tenant = (pattern.search(document) for pattern in _MENTIONS.values())
        if kind and name:
            yield ObjectKey(tenant[1] if tenant else "", kind[1], name[1])


def masked(finding: Diagnostic, secrets: Sequence[Node], file: str) -> Diagnostic:
    """A finding without the values of some nodes of a file, wherever it has them."""
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
    here = [node.span for node in secrets if finding.place and (node.file or file) == finding.place.file]
    for first, start, last, end in here:
        if first <= line <= last:  # as it is written, which escapes and quotes can make another text
            begin, stop = start if line == first else 0, end if line == last else len(excerpt)
            excerpt = excerpt[:begin] + "*" * len(excerpt[begin:stop]) + excerpt[stop:]
    return structs.replace(finding, message=mask(finding.message), excerpt=excerpt, suggestion=mask(finding.suggestion))
