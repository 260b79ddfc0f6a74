"""What a repository declares in one of its environments: manifests, patches over them, variables in both.

A repository without `environments.yaml` is loaded as it is. What is rendered is checked like what is written, and every
place in it is the one in the file that the value came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field
from msgspec.structs import replace

from syncline.kinds import KIND_BY_NAME
from syncline.manifests.document import Document, diagnose, is_ours, validate
from syncline.manifests.environments import FILE, FOLDER, Environments, Given, read_environments
from syncline.manifests.files import SAVED, File, Unsaved, names, read
from syncline.manifests.findings import Problem
from syncline.manifests.kept import Kept
from syncline.manifests.load import LoadResult, load_composed, load_tree, together, uncollected
from syncline.manifests.node import Node, Places, walk
from syncline.manifests.patch import patched, without
from syncline.manifests.text import Text, listed, nearest
from syncline.manifests.variables import filled, used
from syncline.manifests.yaml import Composed, compose
from syncline.model.diagnostic import Diagnostic, Place, Related, Severity
from syncline.model.errors import Invalid
from syncline.model.key import ObjectKey

if TYPE_CHECKING:
    from collections.abc import Mapping

_ONLY: Final = ("metadata", "environments")


class _Source(Struct, frozen=True):
    """A file that was read: its text and documents, or why it can't be read."""

    name: str
    text: Text
    composed: Composed
    ours: bool


class Patch(Struct, frozen=True):
    """A document of `environments/NAME/`: what it changes, and its file."""

    key: ObjectKey
    root: Node
    text: Text

    def finding(self, problem: Problem, related: tuple[Related, ...] = ()) -> Diagnostic:
        """A problem of the patch at its place."""
        return replace(_finding(problem, self.root, self.text, str(self.key)), related=related)


class Overlays(Struct, frozen=True):
    """A repository with environments, read once, to be rendered in any of them. See `read_overlays`."""

    environments: Environments
    base: Sequence[_Source]
    patches: Mapping[str, Sequence[Patch]]
    diagnostics: Sequence[Diagnostic]

    def render(self, environment: str) -> LoadResult:
        """What is declared in an environment, with all findings."""
        files = (FILE, *(source.name for source in self.base))
        if self.environments.spec is None:
            return LoadResult(diagnostics=tuple(self.diagnostics), files=files)
        rendering = _Rendering(environment, self)
        with uncollected():
            rendered = together(rendering.file(source) for source in self.base)
        found = sorted([*self.diagnostics, *rendering.diagnostics, *rendered.diagnostics], key=Diagnostic.sort_key)
        patches = {patch.text.file for patch in self.patches.get(environment, ())}
        return replace(
            rendered,
            diagnostics=tuple(dict.fromkeys(found)),
            files=tuple(sorted({*files, *patches})),
            given=rendering.given,
            formerly=self.environments.spec.environments[environment].formerly or "",
        )


def declared(root: FilePath, environment: str = "", kept: Kept | None = None, unsaved: Unsaved = SAVED) -> LoadResult:
    """
    What a repository declares, in an environment if it has any. `kept` is what was loaded before, `unsaved` texts that
    stand for those of files.

    `Invalid` (SYN280) where no environment was chosen of several, or one that isn't there.
    """
    if kept is not None and (FILE in unsaved or (root / FILE).exists()):
        return kept.rendered(root, environment, lambda: _declared(root, environment, None, unsaved), unsaved)
    return _declared(root, environment, kept, unsaved)


def _declared(root: FilePath, environment: str, kept: Kept | None, unsaved: Unsaved) -> LoadResult:
    overlays = read_overlays(root, unsaved)
    if overlays is None:
        if environment:
            raise Invalid(
                f"there is no environment {environment!r}: the repository declares none",
                code="SYN280",
                help=f"Declare environments in {FILE}, or leave out --environment (SYNCLINE_ENVIRONMENT).",
            )
        return load_tree(root, kept=kept, unsaved=unsaved)
    if (known := overlays.environments).spec is not None and environment not in known.names:
        close = nearest(environment, known.names)
        missing = f"there is no environment {environment!r}"
        raise Invalid(
            missing if environment else "the repository has environments: choose one",
            code="SYN280",
            help=f"Did you mean {close}?" if close else f"Give --environment {listed(known.names)}.",
        )
    return overlays.render(environment)


def read_overlays(root: FilePath, unsaved: Unsaved = SAVED) -> Overlays | None:
    """Reads a repository with environments, and what holds for all of them; None for one without."""
    environments = read_environments(root, unsaved)
    if environments is None:
        return None
    found = [*environments.diagnostics]
    base: list[_Source] = []
    patches: dict[str, list[Patch]] = {name: [] for name in environments.names}
    mentioned: set[str] = set()
    with uncollected():
        for name in names(root, unsaved=unsaved):
            if name == FILE:
                continue
            source = _read(root, name, unsaved)
            mentioned |= used(source.text.content)
            folder, *inner = name.split("/")
            if folder != FOLDER:
                base.append(source)
            elif environments.spec is not None:
                environment = inner[0] if len(inner) > 1 else ""
                if environment in patches:
                    patches[environment] += _patches(source, found)
                else:
                    found += _stray(source, environment, environments.names)
    found += _unused(environments, mentioned)
    return Overlays(environments, base, patches, found)


def in_environments(found: Mapping[str, Sequence[Diagnostic]]) -> tuple[Diagnostic, ...]:
    """Findings of several environments, each once; one that not every environment has says which do."""
    where: dict[Diagnostic, list[str]] = {}
    related: dict[Diagnostic, dict[Related, None]] = {}
    for environment, findings in found.items():
        for finding in findings:
            same = replace(finding, related=())
            where.setdefault(same, []).append(environment)
            related.setdefault(same, {}).update(dict.fromkeys(finding.related))
    merged = [
        replace(
            finding,
            message=finding.message if len(names) == len(found) else f"{finding.message} (in {', '.join(names)})",
            related=tuple(related[finding]),
        )
        for finding, names in where.items()
    ]
    return tuple(sorted(merged, key=Diagnostic.sort_key))


def _read(root: FilePath, name: str, unsaved: Unsaved) -> _Source:
    file = read(root, name, unsaved)
    if isinstance(file, File):
        return _Source(name, file.text, compose(file.text), file.ours)
    return _Source(name, Text(name, ""), Composed(diagnostics=[file]), ours=True)


def _unused(environments: Environments, mentioned: set[str]) -> Iterator[Diagnostic]:
    variables = environments.spec.variables if environments.spec else {}
    for name in variables:
        if name not in mentioned:
            place = environments.variable_place(name)
            message = f"the variable {name!r} is not used"
            yield environments.text.finding("SYN288", message, place, severity=Severity.warning, help="Remove it.")


# --- patches ---------------------------------------------------------------------------------------------------------


def _patches(source: _Source, found: list[Diagnostic]) -> Iterator[Patch]:
    found += source.composed.diagnostics
    for root in source.composed.documents:
        wrong = list(_not_a_patch(root))
        found += [_finding(problem, root, source.text) for problem in wrong]
        if not wrong and not source.composed.diagnostics:
            for _, node in walk(root):
                node.file = source.name
            metadata = root.data["metadata"]
            yield Patch(ObjectKey(metadata.get("tenant") or "", root.data["kind"], metadata["name"]), root, source.text)


def _not_a_patch(root: Node) -> Iterator[Problem]:
    """Why a document names no object."""
    data = root.data if isinstance(root.data, dict) else {}
    kind, metadata = data.get("kind"), data.get("metadata")
    if not isinstance(kind, str) or not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        yield Problem(
            "SYN286",
            (),
            "a patch names the object that it changes",
            expected="apiVersion, kind and metadata.name, of an object of a tenant metadata.tenant, and what changes",
        )
    elif kind not in KIND_BY_NAME:
        message, near = f"unknown kind {kind!r}", nearest(kind, KIND_BY_NAME)
        yield Problem("SYN207", ("kind",), message, expected=listed(KIND_BY_NAME), suggestion=near)
    elif not isinstance(metadata.get("tenant", ""), str):
        yield Problem("SYN203", ("metadata", "tenant"), "'tenant' is not text", expected="the tenant's name")
    elif "environments" in metadata:
        help_ = "A patch holds in the environment of its folder. Remove it."
        yield Problem("SYN286", _ONLY, "a patch can't change which environments an object is in", help=help_)


def _stray(source: _Source, environment: str, known: Sequence[str]) -> Iterator[Diagnostic]:
    """Files of the patches' folder that are of no environment."""
    for root in source.composed.documents:
        if is_ours(root):
            near = nearest(environment, known)
            problem = Problem(
                "SYN285",
                (),
                f"{FOLDER}/{environment} is the folder of no environment" if environment else "this is no patch",
                expected=f"a file below {FOLDER}/{near or 'NAME'}, of {listed(known)}",
                help=f"Move it, or declare the environment in {FILE}.",
            )
            yield _finding(problem, root, source.text)


def _finding(problem: Problem, root: Node, text: Text, subject: str = "") -> Diagnostic:
    keys = Places(text.file, root, of_keys=True)
    return diagnose(problem, {text.file: text}, Places(text.file, root), keys, subject)


# --- one environment -------------------------------------------------------------------------------------------------


class _Rendering(Struct):
    """Renders every file in one environment. One use."""

    environment: str
    overlays: Overlays
    diagnostics: list[Diagnostic] = field(default_factory=list)
    given: dict[Place, tuple[Related, ...]] = field(default_factory=dict)
    _values: dict[str, Given] = field(default_factory=dict)
    _patch_of: dict[int, Patch] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._values = self.overlays.environments.given(self.environment)
        objects: dict[ObjectKey, list[Node]] = {}
        for source in self.overlays.base:
            for root in filter(is_ours, source.composed.documents):
                if (key := _identity(root)) is not None:
                    objects.setdefault(key, []).append(root)
        for patch in self.overlays.patches[self.environment]:
            self._place(patch, objects)

    def _place(self, patch: Patch, objects: Mapping[ObjectKey, list[Node]]) -> None:
        """Finds the object of a patch."""
        known = objects.get(patch.key, [])
        candidates = [root for root in known if self._is_in(root)]
        version = _version(patch.root)
        if len(candidates) > 1 and patch.key.kind == "Connector":
            chosen = [root for root in candidates if _version(root) == version] if version else candidates
            if len(chosen) > 1:
                problem = Problem(
                    "SYN286",
                    ("metadata", "name"),
                    f"several versions of {patch.key} are declared",
                    expected=f"spec.version: {listed(sorted(filter(None, map(_version, candidates))))}",
                )
                self.diagnostics.append(patch.finding(problem))
                return
            candidates = chosen
        if not candidates:
            self.diagnostics.append(patch.finding(self._nothing(patch, objects, there=bool(known))))
            return
        first = self._patch_of.setdefault(id(candidates[0]), patch)
        if first is not patch:
            place = Places(first.text.file, first.root)[("metadata", "name")]
            problem = Problem(
                "SYN286", ("metadata", "name"), f"{patch.key} is patched twice", help="Put both changes into one patch."
            )
            self.diagnostics.append(patch.finding(problem, (Related(place, "first patched here"),)))

    def _nothing(self, patch: Patch, objects: Mapping[ObjectKey, list[Node]], *, there: bool) -> Problem:
        key = patch.key
        if there:
            message = f"{key} is not in the environment {self.environment!r}"
            return Problem("SYN285", ("metadata", "name"), message, help="See metadata.environments of the object.")
        known = sorted(k.name for k in objects if (k.tenant, k.kind) == (key.tenant, key.kind))
        close = nearest(key.name, known)
        return Problem(
            "SYN285",
            ("metadata", "name"),
            f"there is no {key} to be patched",
            expected=listed(known),
            suggestion=close,
            help=""
            if close
            else "Declare the object outside of this folder; to have it in some environments only, "
            "name these in its metadata.environments.",
        )

    def _is_in(self, root: Node) -> bool:
        """Whether an object is in this environment."""
        only = (
            root.data.get("metadata", {}).get("environments") if isinstance(root.data.get("metadata"), dict) else None
        )
        return not isinstance(only, list) or not only or self.environment in only

    def file(self, source: _Source) -> LoadResult:
        """A file's documents, rendered."""
        documents = [root for root in source.composed.documents if not is_ours(root) or self._is_in(root)]
        left_out = [root for root in source.composed.documents if is_ours(root) and not self._is_in(root)]
        self.diagnostics += [d for root in left_out for d in self._unknown_environments(root, source.text)]
        composed = Composed(documents, source.composed.diagnostics)
        return load_composed(source.text, composed, self._document, ours=source.ours)

    def _unknown_environments(self, root: Node, text: Text) -> Iterator[Diagnostic]:
        node, known = root.at(_ONLY), self.overlays.environments.names
        for index, item in enumerate(node.data if node and isinstance(node.data, list) else ()):
            if isinstance(item, str) and item not in known:
                problem = Problem(
                    "SYN281",
                    (*_ONLY, index),
                    f"there is no environment {item!r}",
                    expected=listed(known),
                    suggestion=nearest(item, known),
                )
                yield _finding(problem, root, text)

    def _document(self, root: Node, text: Text) -> Document:
        found = list(self._unknown_environments(root, text))
        texts = {FILE: self.overlays.environments.text}
        patch, rendered = self._patch_of.get(id(root)), root
        only = root.at(_ONLY)
        if only is not None and isinstance(only.data, list) and only.data:
            rendered = without(root, _ONLY)
        if patch is not None:
            texts[patch.text.file] = patch.text
            rendered, wrong = patched(rendered, patch.root, KIND_BY_NAME[patch.key.kind])
            found += [patch.finding(problem) for problem in wrong]
        values = filled(rendered, text.file, self._values, self.overlays.environments.spec.variables)  # type: ignore[union-attr]  # rendered only where it is valid
        self.given |= values.given
        if found or values.problems:
            places, keys = Places(text.file, rendered), Places(text.file, rendered, of_keys=True)
            key = _identity(root)
            found += [diagnose(p, {**texts, text.file: text}, places, keys, str(key or "")) for p in values.problems]
            return Document(None, key, tuple(found), ())
        return validate(values.root, text, texts)


def _identity(root: Node) -> ObjectKey | None:
    """What a document is called, without a version; None where it can't be told."""
    metadata, kind = root.data.get("metadata"), root.data.get("kind")
    if not isinstance(metadata, dict) or not isinstance(kind, str) or not isinstance(metadata.get("name"), str):
        return None
    tenant = metadata.get("tenant")
    return ObjectKey(tenant if isinstance(tenant, str) else "", kind, metadata["name"])


def _version(root: Node) -> str:
    node = root.at(("spec", "version"))
    return node.data if node is not None and isinstance(node.data, str) else ""
