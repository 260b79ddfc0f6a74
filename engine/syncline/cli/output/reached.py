"""What a check found, as text and as JSON (`syncline/check/v1`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from syncline.cli.output.paint import Paint
from syncline.cli.output.text import duration, visible

if TYPE_CHECKING:
    from syncline.inspection import Checked
    from syncline.model.errors import SynclineError
    from syncline.model.key import ObjectKey
    from syncline.sdk.announced import Quota

VERSION = "syncline/check/v1"


def check_data(key: ObjectKey, found: Checked) -> dict[str, Any]:
    """The check as plain data."""
    connector = found.side.connector
    return {
        "version": VERSION,
        "object": str(key),
        "connector": str(connector.key),
        "ok": True,
        "account": found.account,
        "reached": to_builtins(found.reached),
        "error": None,
    }


def failure_data(key: ObjectKey, error: SynclineError) -> dict[str, Any]:
    """A check that failed, as plain data: the same fields, with the error."""
    return {
        "version": VERSION,
        "object": str(key),
        "connector": "",
        "ok": False,
        "account": "",
        "reached": None,
        "error": {"code": error.code, "message": error.message, "help": error.help},
    }


def render_check(key: ObjectKey, found: Checked, paint: Paint) -> str:
    """A line for each thing that was found, then what the system warns of."""
    reached = found.reached
    head = f"{paint.green('OK:')} {paint.bold(visible(str(key)))} answered in {duration(reached.seconds)}"
    lines = [head, *(f"  {paint.dim(name.ljust(7))}  {visible(text)}" for name, text in _lines(found))]
    if reached.ending is not None:
        lines.append(f"{paint.yellow('warning:')} {visible(reached.ending.describe())}")
    return "\n".join(lines) + "\n"


def _lines(found: Checked) -> Iterator[tuple[str, str]]:
    reached = found.reached
    status = f", status {reached.status}" if reached.status is not None else ""
    at = f" at {reached.system}" if reached.system and found.side.runtime == "rest" else ""
    through = f" through the proxy {reached.proxy}" if reached.proxy else ""
    yield "reached", f"{reached.place}{at}{through}{status}"
    if reached.system and not at:
        yield "system", reached.system
    who = [reached.identity] if reached.identity else []
    who += [f"with {found.account}"] if found.account else []
    yield "as", ", ".join(who) or "nobody: no credentials"
    if (tls := reached.tls) is not None:
        issued = f", certificate of {tls.issuer or 'an unnamed issuer'} until {tls.expires}" if tls.expires else ""
        yield "tls", f"{tls.version}, {tls.cipher}{issued}"
    elif reached.system.startswith("http:"):
        yield "tls", "none"
    for quota in reached.quotas:
        yield "limit", quota_text(quota)


def quota_text(quota: Quota) -> str:
    """A rate limit in words: `X-RateLimit: 97 of 100 left, more in 52.0 s`."""
    left = "" if quota.remaining is None else f"{quota.remaining:,}"
    parts = []
    if left and quota.limit is not None:
        parts.append(f"{left} of {quota.limit:,} left")
    elif left or quota.limit is not None:
        parts.append(f"{left} left" if left else f"{quota.limit:,} in all")
    if quota.seconds is not None:
        parts.append(f"more in {duration(quota.seconds)}")
    return f"{quota.name}: {', '.join(parts) or 'announced without figures'}"
