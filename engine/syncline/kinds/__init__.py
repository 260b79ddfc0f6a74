"""Every manifest kind, in one list. To add one: a file beside these that defines `KIND`, and a line here.

A kind's file is imported when the kind is asked for: most repositories use half of them, and the classes of their
fields are a fifth of what a short command takes. Who is about one kind imports its file for the same reason where an
object of it has come. These files don't import annotations from the future: as strings, each would be compiled twice.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Final

from syncline.model.kind import Kind

#: Kinds in the order in which they are told, each with its file.
KINDS: Final = {
    "Tenant": "tenant",
    "Policy": "policy",
    "Source": "source",
    "AuthConfig": "auth",
    "Connector": "connector",
    "Integration": "integration",
    "Mapping": "mapping",
    "Sync": "sync",
    "Import": "import_",
    "Schedule": "schedule",
    "Subscription": "subscription",
}


@cache
def _kind(name: str) -> Kind:
    kind = import_module(f"{__name__}.{KINDS[name]}").KIND
    assert isinstance(kind, Kind)
    return kind


class _Kinds(Mapping[str, Kind]):
    def __getitem__(self, name: str) -> Kind:
        return _kind(name)

    def __contains__(self, name: object) -> bool:
        return name in KINDS

    def __iter__(self) -> Iterator[str]:
        return iter(KINDS)

    def __len__(self) -> int:
        return len(KINDS)


KIND_BY_NAME: Final[Mapping[str, Kind]] = _Kinds()
