"""Personal data that flows write, and who of them doesn't say whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from syncline.model.diagnostic import Diagnostic, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncline.mapping.compile import FieldFlow
    from syncline.planner.compiled import CompiledFlow, Flows

#: Classes of personal data, by what their names begin with.
_PERSONAL: Final = ("pii.", "phi.")
#: What a field is written as by which nobody can be told any more.
NOBODY: Final = frozenset({"drop", "mask", "generalize"})


def personal_classes(item: CompiledFlow) -> tuple[str, ...]:
    """
    The classes of personal data that a flow writes so that a person may be told by them, sorted.

    A keyed hash and what can be decrypted tell a person to whoever has the tenant's key; what is dropped, masked or
    generalised tells nobody.
    """
    written = {name for flow in item.compiled.flows if flow.protection not in NOBODY for name in flow.classes}
    return tuple(sorted(name for name in written if name.startswith(_PERSONAL)))


def is_personal(flow: FieldFlow) -> bool:
    """Whether a field is written of a class of personal data, so that a person may be told by it."""
    return flow.protection not in NOBODY and any(name.startswith(_PERSONAL) for name in flow.classes)


def untold(flows: Flows) -> Iterator[Diagnostic]:
    """Mappings that write personal data and declare no subject, of tenants where others do (SYN917)."""
    telling = {key.tenant for key, item in flows.items() if item.compiled.spec.subject}
    for key, item in flows.items():
        if key.tenant not in telling or item.compiled.spec.subject or not (classes := personal_classes(item)):
            continue
        mapping = item.flow.mapping
        yield Diagnostic(
            "SYN917",
            f"{mapping.key.name} writes {', '.join(classes)} and doesn't say by which field a person is told",
            mapping.place_of("spec"),
            Severity.warning,
            help="Declare `subject`, as other mappings of the tenant do: until then, requests of people stay open at "
            "its flows.",
            subject=str(mapping.key),
        )
