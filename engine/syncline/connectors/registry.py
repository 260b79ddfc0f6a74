"""The connector runtimes, in one list. To add one: a file beside this that defines `RUNTIME`, and a line here."""

from __future__ import annotations

from syncline.connectors.file import runtime as file
from syncline.connectors.rest import runtime as rest
from syncline.connectors.runtime import Runtime
from syncline.connectors.smtp import runtime as smtp
from syncline.connectors.sql import runtime as sql

RUNTIMES: tuple[Runtime, ...] = (file.RUNTIME, rest.RUNTIME, smtp.RUNTIME, sql.RUNTIME)


def runtime(name: str) -> Runtime:
    """The runtime of that name; KeyError if there is none."""
    return {r.name: r for r in RUNTIMES}[name]
