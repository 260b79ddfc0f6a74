"""Every reference to a secret in a spec, and where it stands there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel, RootModel

from syncline.kinds.base import SecretRef, camel

#: Kinds whose specs may refer to secrets. Mappings, which are many and long, are none.
HOLDING: Final = frozenset({"AuthConfig", "Connector", "Integration", "Schedule", "Source", "Subscription"})
#: Most of what a spec has: there is nothing in these.
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
#: Steps from a spec to something in it, as YAML names them.
Path = tuple[str | int, ...]


def secret_refs(spec: BaseModel) -> Iterator[tuple[Path, SecretRef]]:
    """References with their paths, in the order in which they are declared."""
    yield from _found((), spec)


def _found(path: Path, value: object) -> Iterator[tuple[Path, SecretRef]]:
    match value:
        case SecretRef():
            yield path, value
        case RootModel():
            yield from _found(path, value.root)
        case dict():
            for name, inner in value.items():
                yield from _found((*path, str(name)), inner)
        case list() | tuple():
            for position, inner in enumerate(value):
                yield from _found((*path, position), inner)
        case _ if hasattr(value, "__pydantic_fields__"):
            for name, field in type(value).__pydantic_fields__.items():
                if type(inner := getattr(value, name)) not in _PLAIN:
                    yield from _found((*path, field.alias or camel(name)), inner)
        case _:
            pass
