"""Lifecycle: integrations leave a deprecated version of a connector before the API behind it is switched off."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from syncline.kinds.connector import ConnectorSpec, Deprecated
from syncline.kinds.integration import IntegrationSpec, connector_name
from syncline.model.diagnostic import Related, Severity
from syncline.policy.rule import Rule, Subjects, Violation


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"


def _when(deprecated: Deprecated, today: dt.date) -> str:
    """When it ends, or ended, with the days to or from then; when it was deprecated, where it has no end."""
    since = f"deprecated since {deprecated.date}"
    if deprecated.sunset is None:
        return since
    left = (deprecated.sunset - today).days
    if left < 0:
        return f"{since} and ended on {deprecated.sunset}, {_days(-left)} ago"
    return f"{since} and ends on {deprecated.sunset}" + (f", in {_days(left)}" if left else ", today")


def check(subjects: Subjects) -> Iterator[Violation]:
    """
    Every integration whose version of its connector is deprecated: a warning, with the days that are left.

    An error after the end, if the connector says `refuse: true`: policy may suspend it, as it may any rule.
    """
    for manifest in subjects.desired.of_kind("Integration"):
        spec = manifest.spec
        assert isinstance(spec, IntegrationSpec)
        connector = subjects.desired.find(manifest.key.tenant, "Connector", *connector_name(spec.connector))
        if connector is None or not isinstance(connector.spec, ConnectorSpec):
            continue
        found = connector.spec.deprecated
        if found is None or found.date > subjects.today:
            continue
        over = found.sunset is not None and found.sunset < subjects.today
        yield Violation(
            rule="lifecycle",
            code="SYN512",
            subject=manifest.key,
            message=f"{connector.key} is {_when(found, subjects.today)}: {found.reason}",
            place=manifest.place_of("spec", "connector"),
            related=(Related(connector.place_of("spec", "deprecated"), "deprecated here"),),
            expected=found.replaced_by,
            help=f"Move to {found.replaced_by}: `syncline connector diff` says what differs."
            if found.replaced_by
            else "",
            severity=Severity.error if over and found.refuse else Severity.warning,
        )


RULE = Rule("lifecycle", "SYN512", "Deprecated versions of connectors are left before they end.", check)
