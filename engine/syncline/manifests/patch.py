"""A partial manifest laid over a whole one.

What happens can be seen from the patch alone:

- a mapping is merged, field by field;
- null removes the field, which must be there;
- everything else, lists too, takes the place of what was there;
- a list whose entries are told apart by a field (`Kind.list_keys`) may also be patched by a mapping from that field's
  values to changes of the entries: a Mapping's `fields: {email: {class: pii.email}, phone: null}`.
"""

from __future__ import annotations

from msgspec import Struct

from syncline.manifests.findings import Problem
from syncline.manifests.node import Node
from syncline.manifests.text import listed, nearest
from syncline.model.kind import Kind
from syncline.model.manifest import Path


def patched(base: Node, patch: Node, kind: Kind) -> tuple[Node, list[Problem]]:
    """
    The document after a patch of it, and what is wrong with the patch, by paths of the patch's document.

    Neither is changed. Nodes of the patch must know their file, since they end up in a document of another one.
    """
    merging = _Merging(kind)
    return merging.merged(base, patch, ()), merging.problems


class _Merging(Struct):
    kind: Kind
    problems: list[Problem] = []

    def merged(self, base: Node, patch: Node, path: Path) -> Node:
        if isinstance(patch.children, dict):
            if isinstance(base.children, dict):
                return self._mapping(base, base.children, patch.children, patch, path)
            if isinstance(base.children, list):
                return self._entries(base, base.children, patch.children, path)
        if patch.children is None and type(patch.data) is type(base.data) and patch.data == base.data:
            return base  # what is said again is still the base's
        return self._new(patch, path)

    def _mapping(self, base: Node, before: dict[str, Node], changes: dict[str, Node], patch: Node, path: Path) -> Node:
        members, keys, removed = dict(before), dict(base.keys), dict(base.removed)
        for name, change in changes.items():
            inner = (*path, name)
            if name in members and change.data is None:
                del members[name], keys[name]
                removed[name] = change.file, patch.keys[name]
            elif name in members:
                members[name] = self.merged(members[name], change, inner)
                if members[name].file:  # the patch's own, from its key on
                    keys[name] = patch.keys[name]
            elif (added := self._added(name, change, inner, list(before))) is not None:
                members[name], keys[name] = added, patch.keys[name]
        merged = _mapping_node(base, members, keys)
        merged.removed = removed
        return merged

    def _entries(self, base: Node, before: list[Node], changes: dict[str, Node], path: Path) -> Node:
        """A list, patched by the names of its entries."""
        key = self.kind.list_keys.get(".".join(map(str, path[1:]))) if path[:1] == ("spec",) else None
        if key is None:
            self.problems.append(
                Problem(
                    "SYN286",
                    path,
                    f"{path[-1]!r} is a list, which a patch replaces whole",
                    expected="the whole list",
                    help=self._keyed_lists(),
                )
            )
            return base
        entries = {str(e.data.get(key)) if isinstance(e.data, dict) else str(i): e for i, e in enumerate(before)}
        if len(entries) < len(before):
            return base  # two of them have one name, which is wrong by itself, and told of
        names = list(entries)
        for name, change in changes.items():
            inner = (*path, name)
            if name in entries and change.data is None:
                del entries[name]
            elif name in entries:
                entries[name] = self.merged(entries[name], change, inner)
            elif (added := self._added(name, change, inner, names)) is not None:
                entries[name] = _named(added, key, name)
        node = Node([entry.data for entry in entries.values()], base.span)
        node.children, node.file = list(entries.values()), base.file
        return node

    def _added(self, name: str, change: Node, path: Path, there: list[str]) -> Node | None:
        if change.data is not None:
            return self._new(change, path)
        self.problems.append(
            Problem(
                "SYN285",
                path,
                f"the patch removes {name!r}, which isn't there",
                expected=listed(there),
                suggestion=nearest(name, there),
                at_key=True,
            )
        )
        return None

    def _new(self, node: Node, path: Path) -> Node:
        """What the patch brings: nothing can be removed from it."""
        if isinstance(node.children, dict):
            for name, child in node.children.items():
                if child.data is None:
                    self._added(name, child, (*path, name), [])
                else:
                    self._new(child, (*path, name))
        return node

    def _keyed_lists(self) -> str:
        if not self.kind.list_keys:
            return ""
        lists = [f"spec.{name} by {key!r}" for name, key in self.kind.list_keys.items()]
        return f"By name, a patch changes entries of {listed(lists)}."


def _mapping_node(base: Node, members: dict[str, Node], keys: dict[str, tuple[int, int, int, int]]) -> Node:
    node = Node({name: child.data for name, child in members.items()}, base.span)
    node.children, node.keys, node.file, node.removed = members, keys, base.file, base.removed
    return node


def _named(entry: Node, key: str, name: str) -> Node:
    """A new entry of a list, with the field that tells it apart."""
    if not isinstance(entry.children, dict) or key in entry.children:
        return entry
    own = Node(name, entry.span)
    own.file = entry.file
    return _mapping_node(entry, {key: own, **entry.children}, {key: entry.span, **entry.keys})


def without(root: Node, path: Path) -> Node:
    """The document without the value at a path of keys; the document itself if there is none."""
    if not isinstance(root.children, dict) or not isinstance(path[0], str) or path[0] not in root.children:
        return root
    members, keys = dict(root.children), dict(root.keys)
    if len(path) > 1:
        members[path[0]] = without(members[path[0]], path[1:])
    else:
        del members[path[0]], keys[path[0]]
    return _mapping_node(root, members, keys)
