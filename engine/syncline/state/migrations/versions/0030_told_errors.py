"""
What errors said is cut out of what earlier versions kept: they kept it whole, with values of records, answers of APIs
and URLs. Which of it came from outside can't be told any more, so that only codes stay.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_LEFT_OUT = "…"
#: What conditions and events are called that tell the error of a run, or of a look at a system.
_REASONS = ("RunFailed", "RunInterrupted", "SourceChanged", "CheckFailed", "Unreachable")
_CODE = re.compile(r"\[SYN\d+\] ")
#: Our own words, in which there is nothing else.
_OURS = ("SYN704", "SYN710")


def upgrade() -> None:
    connection, schema = op.get_bind(), op.get_context().version_table_schema
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
    runs = sa.table("runs", *map(sa.column, ("state", "error", "error_code")), schema=schema)
    events = sa.table("events", *map(sa.column, ("number", "reason", "message")), schema=schema)
    names: tuple[sa.ColumnClause[str], ...] = (sa.column("tenant"), sa.column("kind"), sa.column("name"))
    statuses = sa.table("statuses", *names, sa.column("conditions", sa.JSON()), schema=schema)

    ended = runs.c.state.in_(("Failed", "Interrupted")) & (runs.c.error != "") & runs.c.error_code.not_in(_OURS)
    connection.execute(sa.update(runs).where(ended).values(error=_LEFT_OUT))
    told = sa.select(events.c.number, events.c.message).where(events.c.reason.in_(_REASONS))
    for number, message in connection.execute(told).all():
        if (cut := _cut(message)) != message:
            connection.execute(sa.update(events).where(events.c.number == number).values(message=cut))
    for *key, conditions in connection.execute(sa.select(*names, statuses.c.conditions).select_from(statuses)).all():
        said = [one | {"message": _cut(one["message"])} if one["reason"] in _REASONS else one for one in conditions]
        if said != conditions:
            same = sa.and_(*(column == value for column, value in zip(names, key, strict=True)))
            connection.execute(sa.update(statuses).where(same).values(conditions=said))


def _cut(message: str) -> str:
    """
    Without what an error said. What has no code in front is an error of a source that isn't as it was declared; nothing
    is left of that.
    """
    code = _CODE.match(message)
    return f"{code[0] if code else ''}{_LEFT_OUT}" if message else ""
