"""The audit log as text: its entries as a table, and what a verification found."""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from syncline.cli.output.paint import Paint
from syncline.cli.output.table import render_table
from syncline.cli.output.text import number, plural, visible
from syncline.model.event import rfc3339

if TYPE_CHECKING:
    from syncline.audit.cosigning import Cosigned as WhatWitnessesSaid
    from syncline.audit.verify import Cosigned, Verification
    from syncline.audit.witness_policy import WitnessPolicy

VERSION = "syncline/verification/v1"
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def _details(event: dict[str, Any]) -> str:
    details = event.get("unmapped", {}).get("details", {})
    shown = {name: value for name, value in details.items() if value is not False and value not in (None, "", [])}
    return ", ".join(name if value is True else f"{name} {_value(value)}" for name, value in shown.items())


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(str, value))
    text = str(value)
    return text[:12] if _HASH.fullmatch(text) else text


def render_entries(entries: Sequence[tuple[int, dict[str, Any]]], paint: Paint) -> str:
    """Entries with their numbers in the log."""
    if not entries:
        return "No such entries.\n"
    rows = [
        (
            number(index),
            str(event["time_dt"])[:19].replace("T", " "),
            str(event["actor"]["user"]["name"]),
            str(event["metadata"]["event_code"]),
            str(event["unmapped"].get("object") or event["metadata"].get("tenant_uid") or ""),
            str(event["status_code"]),
            _details(event),
        )
        for index, event in entries
    ]
    head = ("ENTRY", "TIME (UTC)", "ACTOR", "ACTION", "OBJECT", "OUTCOME", "DETAILS")
    return render_table(head, rows, paint, right=frozenset({0}), cells=64)


def verification_data(found: Verification, key: str) -> dict[str, Any]:
    """A verification as plain data."""
    head = found.checkpoint
    return {
        "version": VERSION,
        "ok": found.ok,
        "key": key,
        "origin": head.origin if head else None,
        "size": head.size if head else None,
        "root": base64.b64encode(head.root).decode() if head else None,
        "cosigned": {"size": found.cosigned.size, "witnesses": list(found.cosigned.witnesses)}
        if found.cosigned
        else None,
        "firstBadEntry": found.first_bad_entry,
        "findings": [{"file": f.file, "entry": f.entry, "message": f.message} for f in found.findings],
    }


def _cosigned(cosigned: Cosigned, size: int) -> str:
    names = ", ".join(map(visible, cosigned.witnesses))
    if cosigned.size == size:
        return f"by {names}"
    return f"up to {plural(cosigned.size, 'entry', 'entries')} by {names}; {number(size - cosigned.size)} more not yet"


def render_cosigned(found: WhatWitnessesSaid, policy: WitnessPolicy, paint: Paint) -> str:
    """What each witness said, and whether that is as much as the policy demands."""
    rows = [
        (
            visible(asked.witness.name),
            paint.green("cosigned") if asked.time is not None else paint.red("not cosigned"),
            rfc3339(dt.datetime.fromtimestamp(asked.time, dt.UTC))[:19].replace("T", " ")
            if asked.time is not None
            else "",
            visible(asked.problem),
        )
        for asked in found.asked
    ]
    head = f"{plural(found.checkpoint.size, 'entry', 'entries')}, {policy.demand()} demanded: "
    head += paint.green("met") if found.met else paint.red("not met")
    return f"{head}\n\n{render_table(('WITNESS', 'ANSWER', 'TIME (UTC)', 'PROBLEM'), rows, paint, cells=64)}"


def render_verification(found: Verification, key: str, paint: Paint, *, since: int | None = None) -> str:
    """What was checked, and that it holds, or what doesn't."""
    head = found.checkpoint
    lines = []
    if found.ok and head is not None:
        lines.append(
            f"{paint.green('Verified:')} {plural(head.size, 'entry', 'entries')}, every byte as it was signed."
        )
    else:
        first = found.first_bad_entry
        what = f"entry {first} is the first that is not what was signed" if first is not None else "the log is damaged"
        lines.append(f"{paint.red('Not verified:')} {what}.")
    if head is not None:
        root = base64.b64encode(head.root).decode()
        lines += [
            "",
            f"  origin      {visible(head.origin)}",
            f"  entries     {number(head.size)}",
            f"  root        {root}",
        ]
    lines.append(f"  key         {visible(key)}")
    if found.ok:
        checked = "signature, hashes of all entries, all tiles, left-over files"
        lines.append(
            f"  checked     {checked}" + (f", and that it continues {since:,} entries" if since is not None else "")
        )
        if found.cosigned is not None and head is not None:
            lines.append(f"  cosigned    {_cosigned(found.cosigned, head.size)}")
    elif found.findings:
        lines += ["", *(f"  {paint.red('✗')} {visible(f.file)}: {visible(f.message)}" for f in found.findings)]
    return "\n".join(lines) + "\n"
