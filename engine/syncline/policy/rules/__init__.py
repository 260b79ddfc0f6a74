"""Every rule, in one list. To add one: a file beside these that defines `RULE`, a line here, a code, a test."""

from __future__ import annotations

from syncline.policy.rule import Rule
from syncline.policy.rules import (
    classes,
    declared,
    isolation,
    lifecycle,
    opt_out,
    purposes,
    regions,
    residency,
    retention,
    secret_places,
    secrets,
    tables,
    transport,
)

RULES: tuple[Rule, ...] = (
    residency.RULE,
    classes.RULE,
    regions.RULE,
    secrets.RULE,
    secret_places.RULE,
    transport.RULE,
    isolation.RULE,
    tables.RULE,
    lifecycle.RULE,
    purposes.RULE,
    retention.RULE,
    opt_out.RULE,
    declared.RULE,
)
