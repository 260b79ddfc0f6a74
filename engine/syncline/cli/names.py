"""Objects by the names that people type: `Sync/x`, `acme/Sync/x`, `sync/x`, or `x` where that is enough."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from syncline.model.errors import Invalid
from syncline.model.key import ObjectKey

FLOWS: tuple[str, ...] = ("Sync", "Import")


def find_object(
    text: str, keys: Iterable[ObjectKey], *, kinds: Sequence[str] = (), tenant: str = "", declared: bool = False
) -> ObjectKey:
    """
    The one object among `keys` that a name means. `kinds` and `tenant` narrow the choice where they are given;
    `declared` says that the keys are of what is declared, not of what is applied.

    `Invalid` (SYN650) lists the candidates when there are several, and the nearest names when there is none.
    """
    known = sorted(k for k in keys if (not kinds or k.kind in kinds) and (not tenant or k.tenant == tenant))
    parts = text.split("/")
    found = [key for key in known if _matches(parts, key)]
    exact = [key for key in found if str(key) == text]
    if len(exact) == 1 and len(parts) == 3:
        return exact[0]
    if len(found) == 1:
        return found[0]
    where = f" of tenant {tenant}" if tenant else ""
    if found:
        listed = "\n".join(f"  {key}" for key in found)
        raise Invalid(
            f"{text!r} may mean several objects{where}:\n{listed}",
            code="SYN650",
            help=f"Give the whole name, such as {found[0]}, or --tenant.",
        )
    near = difflib.get_close_matches(text.lower(), _spellings(known), n=1)
    hint = f"; did you mean {_spellings(known)[near[0]]}?" if near else ""
    what = " or ".join(kinds) if kinds else "object"
    if declared:
        raise Invalid(
            f"there is no {what} {text!r}{where} among what is declared{hint}",
            code="SYN650",
            help="`syncline validate` says what is wrong with objects that can't be read.",
        )
    raise Invalid(
        f"there is no {what} {text!r}{where} among what is applied{hint}",
        code="SYN650",
        help="`syncline get` lists what is applied; what is only declared has to be applied first.",
    )


def _matches(parts: Sequence[str], key: ObjectKey) -> bool:
    match parts:
        case [name]:
            return name in {key.name, key.base}
        case [first, name]:  # Kind/name, or tenant/name
            return name in {key.name, key.base} and first.lower() in {key.kind.lower(), key.tenant.lower() or None}
        case [tenant, kind, name]:
            return (key.tenant, key.kind.lower()) == (tenant, kind.lower()) and name in {key.name, key.base}
        case _:
            return False


def _spellings(keys: Iterable[ObjectKey]) -> dict[str, ObjectKey]:
    return {text.lower(): key for key in keys for text in (key.name, f"{key.kind}/{key.name}", str(key))}
