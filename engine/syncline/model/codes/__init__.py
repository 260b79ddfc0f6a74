"""Every stable code, one table an area. `syncline explain CODE` and the reference pages are generated from it."""

from __future__ import annotations

from syncline.model.codes import (
    absence,
    access,
    approval,
    audit,
    connector,
    content,
    drift,
    editor,
    environment,
    loading,
    manifest,
    mapping,
    notify,
    place,
    plan,
    policy,
    privacy,
    protection,
    queue,
    retirement,
    review,
    rollback,
    rule_tests,
    run,
    schedule,
    secret,
    source,
    status,
    takeover,
    tenant,
    windows,
    write,
)
from syncline.model.codes.code import Code

_AREAS = (
    loading,
    manifest,
    environment,
    access,
    mapping,
    review,
    connector,
    content,
    windows,
    place,
    queue,
    policy,
    privacy,
    write,
    absence,
    plan,
    retirement,
    source,
    status,
    schedule,
    rule_tests,
    takeover,
    drift,
    editor,
    approval,
    tenant,
    run,
    rollback,
    notify,
    secret,
    protection,
    audit,
)

#: Code by its name, in order.
CODES: dict[str, Code] = {code.code: code for area in _AREAS for code in area.CODES}

__all__ = ["CODES", "Code"]
