"""Keys that are lost, for people: what went with them, and what follows where that is acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from syncline.cli.output.text import visible
from syncline.reconciler.lost_keys import REMEMBERED, SUPPRESSED

if TYPE_CHECKING:
    from syncline.reconciler.lost_keys import Loss

_ALWAYS: Final = (
    "- Hashes with a tenant's key (`protect: {hash: tenant}`) become others, which don't match those of before.",
    "- Where a position can't be read, the destination's counts; where that has none, a flow reads from the start.",
    "- Tokens are asked for anew, and logins by a browser have to be made again.",
)

_SUPPRESSED: Final = (
    "- Flows with people who aren't to come back stay stopped until each was erased anew, and the entry that",
    "  can't be read is lifted: `syncline privacy suppressions`.",
)


def render_loss(loss: Loss, *, done: bool) -> str:
    """All of it; `done` says that it is acknowledged."""
    if not loss.any_lost:
        return "No key is lost."
    lines = [f"The key-encryption key {visible(place)} is lost." for place in loss.keks]
    lines += [f"The data key of {_name(tenant)} is lost." for tenant in loss.tenants]
    lines.append("")
    for tenant, found in sorted(loss.unreadable.items()):
        parts = ", ".join(f"{what} ({count:,})" for what, count in sorted(found.items()))
        lines.append(f"Of {_name(tenant)}, this can't be read any more: {parts}.")
    lines += _follows(loss)
    if done:
        lines += ["", "What is new is sealed with new keys."]
        lines += [f"What is left of the old ones lies in {visible(loss.aside)}."] if loss.aside else []
    else:
        lines += ["", "Restore the key folder from a backup if there is one. Else go on without them: add --yes."]
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def _follows(loss: Loss) -> list[str]:
    said = ["", "Without these keys:", *_ALWAYS]
    if loss.has(REMEMBERED):
        said.append("- Flows into APIs write as for the first time: what has no key of its own there may come twice.")
    if loss.has([SUPPRESSED]):
        said += _SUPPRESSED
    return said


def _name(tenant: str) -> str:
    return visible(tenant) if tenant else "what is shared"
