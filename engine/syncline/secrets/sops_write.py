"""Writing one value into a SOPS file: the file keeps its data key and so everyone it is encrypted for.

Only the value, the time of the last change and the MAC are written anew; all other bytes of a YAML file stay, comments
and order included. A JSON file is written as SOPS does, with tabs. The MAC is made over what the whole file holds, so
that a file which was changed by others is refused before anything is written into it.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import re
from collections.abc import Sequence
from typing import Any, Final

from syncline.model.secret import Secret
from syncline.secrets import sops
from syncline.secrets.sops_tree import SopsError, Tree, read

_NONCE_BYTES: Final = 32
"""As SOPS has it."""
_TAG_BYTES: Final = 16
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
#: Names that YAML reads as something else than text.
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def put(data: bytes, identities: Sequence[Secret], path: Sequence[str], value: Secret, *, is_json: bool) -> bytes:
    """
    The file with a value at a path, there before or not; `SopsError` says why it can't be written there.

    Whoever could decrypt the file still can, and nobody else.
    """
    return _edited(data, identities, path, value, is_json=is_json)


def remove(data: bytes, identities: Sequence[Secret], path: Sequence[str], *, is_json: bool) -> bytes:
    """The file without the value at a path."""
    return _edited(data, identities, path, None, is_json=is_json)


def _edited(
    data: bytes, identities: Sequence[Secret], path: Sequence[str], value: Secret | None, *, is_json: bool
) -> bytes:
    opened = sops.unlock(data, identities, is_json=is_json)  # checks the MAC of what is there
    steps = tuple(path)
    if not steps or any(not step for step in steps) or steps[0] == "sops":
        raise SopsError("no place in it is named")
    names = _names(read(data, is_json=is_json), steps)
    if value is not None and not opened.is_encrypted(names):
        raise SopsError(f"its rules leave {'.'.join(steps)} in the clear")
    about = "".join(f"{name}:" for name in names)
    sealed = None if value is None else _seal(opened.cipher, value.reveal(), about)
    editor = _Json(data) if is_json else _Yaml(data)
    if sealed is None:
        editor.drop(steps)
    else:
        editor.set(steps, sealed)
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    tree = read(editor.result, is_json=is_json)
    tree.pop("sops")
    _, mac = opened.open(tree)
    editor.set(("sops", "lastmodified"), now)
    editor.set(("sops", "mac"), _seal(opened.cipher, mac, now))
    sops.decrypt(editor.result, identities, is_json=is_json)  # what can't be read again isn't given away
    return editor.result


def _names(tree: Tree, steps: Sequence[str]) -> tuple[str, ...]:
    """The names on a path: numbers of lists are none."""
    names = []
    for step in steps:
        if isinstance(tree, list):
            tree = tree[int(step)] if step.isdecimal() and int(step) < len(tree) else None
            continue
        names.append(step)
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tuple(names)


def _seal(cipher: Any, text: str, about: str) -> str:
    """A text as SOPS writes it, bound to what it is about."""
    nonce = os.urandom(_NONCE_BYTES)
    made = cipher.encrypt(nonce, text.encode(), about.encode())
    parts = (made[:-_TAG_BYTES], nonce, made[-_TAG_BYTES:])
    data, iv, tag = (base64.b64encode(part).decode() for part in parts)
    return f"ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:str]"


class _Json:
    """A JSON file, written as a whole."""

    def __init__(self, data: bytes) -> None:
        self._tree: dict[str, Any] = json.loads(data)

    @property
    def result(self) -> bytes:
        return json.dumps(self._tree, indent="\t", ensure_ascii=False).encode()

    def set(self, path: Sequence[str], text: str) -> None:
        at: Any = self._tree
        for step in path[:-1]:
            at = at.setdefault(step, {}) if isinstance(at, dict) else _item(at, step)
        if isinstance(at, dict):
            if isinstance(at.get(path[-1]), dict | list):
                raise SopsError(f"{path[-1]} has parts")
            at[path[-1]] = text
        elif isinstance(_item(at, path[-1]), dict | list):
            raise SopsError(f"{path[-1]} has parts")
        else:
            at[int(path[-1])] = text
        self._tree["sops"] = self._tree.pop("sops")  # the metadata stay last

    def drop(self, path: Sequence[str]) -> None:
        at: Any = self._tree
        for step in path[:-1]:
            at = at.get(step) if isinstance(at, dict) else None
        if isinstance(at, dict) and not isinstance(at.get(path[-1]), dict | list):
            at.pop(path[-1], None)


def _item(at: Any, step: str) -> Any:
    if not isinstance(at, list) or not step.isdecimal() or int(step) >= len(at):
        raise SopsError(f"nothing that has parts is at {step}")
    return at[int(step)]


class _Yaml:
    """A YAML file in block style, of which single lines are changed."""

    def __init__(self, data: bytes) -> None:
        self._text = data.decode()
        if self._text.startswith("\ufeff") or "\r" in self._text or not self._text.endswith("\n"):
            raise SopsError("it isn't written as SOPS writes YAML")

    @property
    def result(self) -> bytes:
        return self._text.encode()

    def set(self, path: Sequence[str], text: str) -> None:
        node, rest = self._find(path)
        if rest:
            self._add(node, rest, text, top=len(rest) == len(path))
            return
        import yaml

        if not isinstance(node, yaml.ScalarNode) or node.style in {"|", ">"}:
            raise SopsError(f"{'.'.join(path)} has parts, or is written as a block")
        start, end = node.start_mark.index, node.end_mark.index
        quoted = json.dumps(text) if path[0] == "sops" and path[-1] == "lastmodified" else text
        space = "" if start == 0 or self._text[start - 1] in " \n" else " "
        self._text = f"{self._text[:start]}{space}{quoted}{self._text[end:]}"

    def drop(self, path: Sequence[str]) -> None:
        import yaml

        parent, rest = self._find(path[:-1])
        if rest or not isinstance(parent, yaml.MappingNode):
            return
        for key, value in parent.value:
            if key.value != path[-1]:
                continue
            if not isinstance(value, yaml.ScalarNode) or parent.flow_style or len(parent.value) == 1:
                raise SopsError(f"{'.'.join(path)} can't be taken out of it alone")
            start = self._text.rfind("\n", 0, key.start_mark.index) + 1
            end = self._text.find("\n", max(value.end_mark.index - 1, key.end_mark.index)) + 1
            self._text = self._text[:start] + self._text[end:]

    def _find(self, path: Sequence[str]) -> tuple[Any, tuple[str, ...]]:
        """The node at a path; or the mapping that it would be in, with the steps that are missing."""
        import yaml

        node = yaml.compose(self._text, Loader=yaml.SafeLoader)
        for number, step in enumerate(path):
            if isinstance(node, yaml.SequenceNode) and step.isdecimal() and int(step) < len(node.value):
                node = node.value[int(step)]
                continue
            if not isinstance(node, yaml.MappingNode):
                raise SopsError(f"{'.'.join(path[:number])} is no mapping")
            found = next((value for key, value in node.value if key.value == step), None)
            if found is None:
                return node, tuple(path[number:])
            node = found
        return node, ()

    def _add(self, parent: Any, steps: Sequence[str], text: str, *, top: bool) -> None:
        """Adds lines at the end of a mapping; in the file's own one, before the metadata, which SOPS has last."""
        if parent.flow_style or not parent.value:
            raise SopsError("the mapping that it would be in isn't written in lines")
        entries = [(key, value) for key, value in parent.value if not (top and key.value == "sops")]
        if not entries:
            raise SopsError("it holds nothing yet: make it with `sops edit`")
        column = entries[0][0].start_mark.column
        lines = [f"{' ' * (column + 4 * depth)}{_name(step)}:" for depth, step in enumerate(steps)]
        lines[-1] += f" {text}"
        if top:
            metadata = next(key for key, _ in parent.value if key.value == "sops")
            at = self._text.rfind("\n", 0, metadata.start_mark.index) + 1
        else:
            end = _last(entries[-1][1]).end_mark.index
            at = end if self._text[end - 1] == "\n" else self._text.find("\n", end) + 1
        self._text = self._text[:at] + "\n".join(lines) + "\n" + self._text[at:]


def _last(node: Any) -> Any:
    """The last thing that is written of a node."""
    import yaml

    while isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        node = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
    return node


def _name(step: str) -> str:
    """A key as YAML has it."""
    return step if _PLAIN.fullmatch(step) and step.lower() not in _WORDS else json.dumps(step, ensure_ascii=False)
