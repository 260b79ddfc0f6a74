"""Replacing a secret while both count: the new one takes its place, and the former one is kept beside it for a while.

    former is kept → new one is put in place → (window: both count) → former is forgotten

Killed anywhere, the value that counted still does: it is in place, or beside. Begun again, it goes on from there.
"""

from __future__ import annotations

from syncline.model.errors import Invalid, Stalled
from syncline.model.secret import Secret
from syncline.secrets.contract import Context, Reference
from syncline.secrets.provider import WRITABLE, resolve, writer


def former(reference: Reference) -> Reference:
    """Where the former value of a secret is kept during a window; `Invalid` (SYN828) where none can be kept."""
    if reference.provider == "vault":
        if not reference.path:  # beside an only field, another would leave it unclear which is meant
            raise Invalid(
                f"secret {reference}: it doesn't say which field is replaced",
                code="SYN828",
                help=f"Name the field, here and where it is referred to: {reference}#FIELD.",
            )
        return Reference("vault", reference.key, f"{reference.path}_former")
    if reference.provider == "sops":
        # Beside it, in the same file: a dotted key may be the whole place, or a path in a file that the key names.
        if reference.path:
            return Reference("sops", reference.key, f"{reference.path}_former")
        return Reference("sops", f"{reference.key}_former")
    if reference.path:
        raise Invalid(
            f"secret {reference}: a part of a document can't be replaced alone",
            code="SYN828",
            help="Replace the document where it is kept.",
        )
    return Reference(reference.provider, f"{reference.key}.former")


def replace(reference: Reference, value: Secret, context: Context) -> bool:
    """Puts a new value in place, and keeps the former one, if there is one, beside it; whether there was one.

    `Invalid` (SYN828) where the provider can't be written to.
    """
    provider = writer(reference, context)
    old, beside = _there(reference, context), _there(former(reference), context)
    if old is None:
        provider.put(reference, value)
        return False
    if beside is not None and beside != old:
        raise Invalid(
            f"secret {reference}: it was replaced before, and its former value still counts",
            code="SYN829",
            help="End that window first: syncline secrets rotate --finish.",
        )
    provider.put(former(reference), old)
    provider.put(reference, value)
    return True


def finish(reference: Reference, context: Context) -> bool:
    """Ends the window: the former value counts no more; whether there was one."""
    beside = former(reference)
    if _there(beside, context) is None:
        return False
    writer(beside, context).delete(beside)
    return True


def accepted(reference: Reference, context: Context) -> tuple[Secret, ...]:
    """The values that count: the one in place, and during a window the former one, if we may read it."""
    now = resolve(reference, context)
    if reference.provider not in WRITABLE:
        return (now,)
    if reference.provider != "sops" and bool(reference.path) != (reference.provider == "vault"):
        return (now,)
    try:
        before = _there(former(reference), context)
    except Stalled as error:
        if error.code != "SYN822":
            raise
        before = None
    return (now,) if before is None else (now, before)


def _there(reference: Reference, context: Context) -> Secret | None:
    try:
        return resolve(reference, context)
    except Stalled as error:
        if error.code != "SYN801":
            raise
        return None
