"""A commit that declares a destination as somebody left it: a column that was dropped isn't mapped to any more, and one
that was given another type is declared as that.

The manifest is changed in its text, so that comments and layout stay, and only where it is sure what the change means.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from syncline.kinds.mapping import MappingSpec
from syncline.manifests.commits import Made, commit_on, said
from syncline.manifests.load import load_text, load_tree
from syncline.manifests.repository import git
from syncline.manifests.revisions import resolved
from syncline.model import drift
from syncline.model.diagnostic import has_errors
from syncline.model.errors import Invalid

if TYPE_CHECKING:
    from syncline.model.key import ObjectKey
    from syncline.model.manifest import Manifest


def adopt(root: Path, mapping: ObjectKey, columns: Mapping[str, str], branch: str) -> Made:
    """
    Makes a commit on top of HEAD in which a mapping has these columns with their types, and lacks those without one, on
    a new branch. Nothing else is changed.

    `Invalid` (SYN752) where the mapping isn't declared in a form that can be changed so; else as `revert`.
    """
    head = resolved(root, "HEAD")
    file = next((m.place.file for m in load_tree(root).manifests if m.key == mapping), "")
    content = git(root, "show", f"{head}:./{file}") if file else None
    if content is None:
        raise _unable(f"no file of {head[:12]} declares {mapping}", "Commit what is declared first.")
    changed = as_left(content, file, mapping, columns)
    message = f"Adopt {mapping} {drift.as_left(columns)}\n\nThat is how somebody left the table at the destination."
    return commit_on(root, head, _tree(root, head, file, changed), message, branch)


def declared_as(root: Path, mapping: ObjectKey, columns: Mapping[str, str]) -> tuple[str, str]:
    """
    The file that declares a mapping in a folder, and its text with these columns as `adopt` has them; '' where it has
    them so already.

    `Invalid` (SYN752) as `adopt`.
    """
    file = next((m.place.file for m in load_tree(root).manifests if m.key == mapping), "")
    if not file:
        raise _unable(f"no file declares {mapping}", "Commit what is declared first.")
    content = (root / file).read_text(encoding="utf-8")
    changed = as_left(content, file, mapping, columns)
    return file, changed if changed != content else ""


def as_left(content: str, file: str, mapping: ObjectKey, columns: Mapping[str, str]) -> str:
    """The text of a file with a mapping whose fields for these columns have their types, or are gone without one."""
    before = _found(content, file, mapping)
    assert isinstance(before.spec, MappingSpec)
    if keyed := sorted(set(columns) & set(before.spec.key)):
        raise _unable(f"{', '.join(keyed)} is in the key of {mapping}", "Bring it back: rows are told apart by it.")
    lines = content.splitlines(keepends=True)
    for index in reversed(range(len(before.spec.fields))):
        kind = columns.get(before.spec.fields[index].to)
        if kind is None:
            continue
        place = before.place_of("spec", "fields", index)
        if place.file != file:
            raise _unable(f"a field of {mapping} stands in another file", "Change it by hand.")
        if kind:
            _retype(lines, before, index, kind)
            continue
        start, end = place.line - 1, place.end_line
        if lines[start][: place.column - 1].strip() != "-":
            raise _unable(f"the fields of {mapping} aren't a list with a line for each", "Change it by hand.")
        del lines[start:end]
    changed = "".join(lines)
    if has_errors(load_text(changed, file).diagnostics):
        names = ", ".join(sorted(columns))
        raise _unable(
            f"{mapping} names {names} elsewhere too, such as in a test", "Take it out there by hand, and adopt again."
        )
    after = _found(changed, file, mapping)
    assert isinstance(after.spec, MappingSpec)
    wanted = tuple(
        field.model_copy(update={"type": kind}) if (kind := columns.get(field.to)) else field
        for field in before.spec.fields
        if columns.get(field.to) != ""
    )
    if after.spec != before.spec.model_copy(update={"fields": wanted}) or not wanted:
        raise _unable(f"{mapping} can't be changed without changing more", "Change it by hand.")
    return changed


def _retype(lines: list[str], manifest: Manifest, index: int, kind: str) -> None:
    """Has the lines of a file declare a type for a field."""
    path = ("spec", "fields", index)
    value = f'"{kind}"' if "," in kind else kind
    field, to = manifest.place_of(*path), manifest.place_of(*path, "to")
    if (*path, "type") in manifest.places:
        place = manifest.place_of(*path, "type")
        line = lines[place.line - 1]
        lines[place.line - 1] = f"{line[: place.column - 1]}{value}{line[place.end_column - 1 :]}"
    elif lines[field.line - 1][field.column - 1] == "{":
        line = lines[to.end_line - 1]
        lines[to.end_line - 1] = f"{line[: to.end_column - 1]}, type: {value}{line[to.end_column - 1 :]}"
    else:
        lines.insert(to.end_line, f"{' ' * (field.column - 1)}type: {value}\n")


def _found(content: str, file: str, key: ObjectKey) -> Manifest:
    loaded = load_text(content, file)
    found = next((m for m in loaded.manifests if m.key == key and isinstance(m.spec, MappingSpec)), None)
    if found is None or has_errors(loaded.diagnostics):
        raise _unable(f"{file} doesn't declare {key} as it should", "Correct it first: `syncline validate`.")
    return found


def _tree(root: Path, head: str, file: str, content: str) -> str:
    """HEAD's tree with a file's content."""
    prefix = (git(root, "rev-parse", "--show-prefix") or "").strip()
    top = Path(said(root, "rev-parse", "--show-toplevel"))
    path = f"{prefix}{file}"
    mode = said(top, "ls-tree", "--format=%(objectmode)", head, "--", path)
    with tempfile.TemporaryDirectory() as aside:
        draft, index = Path(aside) / "file", {"GIT_INDEX_FILE": str(Path(aside) / "index")}
        draft.write_bytes(content.encode())
        blob = said(top, "hash-object", "-w", "--no-filters", str(draft))
        said(top, "read-tree", head, **index)
        said(top, "update-index", "--cacheinfo", f"{mode},{blob},{path}", **index)
        return said(top, "write-tree", **index)


def _unable(message: str, help_: str) -> Invalid:
    return Invalid(message, code="SYN752", help=help_)
