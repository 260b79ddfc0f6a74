"""What a kind demands of one manifest beyond its model: choices of exactly one, names that exist, well-formed texts.

One function a kind, in `CHECKS`; each yields problems with paths inside the document. What needs a second manifest to
decide is in `resolve.py`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from syncline.kinds import KIND_BY_NAME
from syncline.kinds.base import Spec
from syncline.kinds.connector import ConfigProperty, ConnectorSpec
from syncline.kinds.drift import Drift
from syncline.kinds.file_stream import FileStream
from syncline.kinds.import_ import ImportSpec
from syncline.kinds.integration import IntegrationSpec, connector_name
from syncline.kinds.mapping import MappedField, MappingSpec, MappingTest
from syncline.kinds.policy import PolicySpec
from syncline.kinds.sync import SyncSpec
from syncline.kinds.table import TableStream
from syncline.kinds.tenant import TenantSpec
from syncline.manifests import versions
from syncline.manifests.demands import reactions
from syncline.manifests.demands.choices import choice, exactly_one, not_one_of, repeated, unknown_names
from syncline.manifests.demands.record_schema import check_schema
from syncline.manifests.demands.schedules import check_schedule, check_time_windows
from syncline.manifests.demands.zone import check_zone
from syncline.manifests.findings import Problem
from syncline.manifests.text import listed, nearest
from syncline.model import units
from syncline.model.manifest import Path
from syncline.model.notice import NOTICES

if TYPE_CHECKING:
    from pydantic import BaseModel

    from syncline.kinds.auth import AuthConfigSpec
    from syncline.kinds.source import SourceSpec
    from syncline.kinds.subscription import SubscriptionSpec

SPEC: Final[Path] = ("spec",)
#: Fewest seconds between two reminders of a subscription.
SOONEST_REMINDER: Final = 60


def check(kind: str, spec: BaseModel) -> Iterator[Problem]:
    """Everything that is wrong with a spec that its model accepts."""
    checker = CHECKS.get(kind)
    if checker is not None:
        yield from checker(spec)


# --- one function a kind ---------------------------------------------------------------------------------------------


def _auth(spec: AuthConfigSpec) -> Iterator[Problem]:
    from syncline.manifests.demands import auth_expressions

    yield from auth_expressions.problems(spec.root, SPEC)
    rotation = spec.root.rotation
    if rotation is not None and rotation.every is None and rotation.expires is None:
        message = "neither an age nor an end is given, so there is nothing to remind of"
        yield Problem("SYN273", (*SPEC, "rotation"), message, help="Give every, such as 90d, or expires, a day.")
    elif rotation is not None and rotation.every and units.duration(rotation.warn) >= units.duration(rotation.every):
        message = f"the reminder would begin {rotation.warn} before an age of {rotation.every}, and never end"
        yield Problem("SYN273", (*SPEC, "rotation"), message, help="Give a warn that is shorter than every.")


def _tenant(spec: TenantSpec) -> Iterator[Problem]:
    for name, patterns in (("allow", spec.egress.allow), ("private", spec.egress.private), ("deny", spec.egress.deny)):
        for position, text in enumerate(patterns):
            yield from _network(text, (*SPEC, "egress", name, position))
    for position, rule in enumerate(spec.classes):
        if not rule.allow and not rule.deny:
            yield Problem(
                "SYN211",
                (*SPEC, "classes", position),
                "the rule neither allows nor denies an integration",
                expected="allow or deny",
            )
    yield from check_zone(spec.changes.time_zone, (*SPEC, "changes", "timeZone"))
    yield from check_time_windows(spec.changes.windows, (*SPEC, "changes", "windows"))
    yield from _looks(spec.drift)


def _network(text: str, path: Path) -> Iterator[Problem]:
    """That a pattern of hosts with a prefix length is a network."""
    try:
        if "/" in text:
            ipaddress.ip_network(text)
    except ValueError as error:
        yield Problem(
            "SYN216",
            path,
            f"{text!r} is not a network: {error}",
            expected="an address with a prefix length, such as 10.0.0.0/8 or 2001:db8::/32",
        )


def _policy(spec: PolicySpec) -> Iterator[Problem]:
    yield from repeated([r.name for r in spec.rules], (*SPEC, "rules"), "name", "rule")
    for position, rule in enumerate(spec.rules):
        path = (*SPEC, "rules", position)
        yield from exactly_one(rule, ("deny", "require"), path, "a rule")
        for number, kind in enumerate(rule.kinds):
            if kind not in KIND_BY_NAME:
                yield not_one_of(kind, KIND_BY_NAME, (*path, "kinds", number), "kind")


def _connector(spec: ConnectorSpec) -> Iterator[Problem]:
    config = (*SPEC, "config")
    yield from unknown_names(spec.config.required, spec.config.properties, (*config, "required"), "setting")
    for name, setting in spec.config.properties.items():
        yield from _setting(setting, (*config, "properties", name))
    if spec.runtime == "rest" and spec.http is None:
        yield Problem("SYN202", (*SPEC, "http"), "a connector with the runtime rest needs the field 'http'")
    types: list[str] = [offer.type if isinstance(offer, Spec) else offer for offer in spec.auth]
    yield from repeated(types, (*SPEC, "auth"), "", "way of authenticating")
    if spec.declares_api:
        from syncline.manifests.demands.api_checks import check_api

        yield from check_api(spec)


def _setting(setting: ConfigProperty, path: Path) -> Iterator[Problem]:
    if setting.default is not None and not value_fits(setting, setting.default):
        yield Problem("SYN228", (*path, "default"), f"the default is not {setting.type}", expected=setting.type)
    if setting.secret and setting.default is not None:
        yield Problem("SYN228", (*path, "default"), "a secret setting can't have a default")


def value_fits(setting: ConfigProperty, value: object) -> bool:
    """Whether a value has the type of a setting (`enum` and `pattern` are for `resolve.py` to check)."""
    match setting.type:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)


def _integration(spec: IntegrationSpec) -> Iterator[Problem]:
    for name, webhook in spec.webhooks.items():
        yield from reactions.impossible("webhooks", webhook.drift, (*SPEC, "webhooks", name, "drift"))
    _, wanted = connector_name(spec.connector)
    try:
        versions.includes(wanted, "0.0.0")
    except ValueError as error:
        said, _, expected = str(error).partition(": expected ")
        yield Problem("SYN217", (*SPEC, "connector"), said, expected=expected)
    yield from _endpoints(spec)
    for name, stream in spec.streams.items():
        yield from _file_stream(stream, (*SPEC, "streams", name))
    for name, table in spec.tables.items():
        yield from _table_stream(table, (*SPEC, "tables", name))


def _endpoints(spec: IntegrationSpec) -> Iterator[Problem]:
    regions = [endpoint.region for endpoint in spec.endpoints]
    yield from repeated(regions, (*SPEC, "endpoints"), "region", "region")
    if len(regions) > 1 and not spec.region:
        message = "an integration with several endpoints needs the field 'region', which chooses one"
        yield Problem("SYN202", (*SPEC, "region"), message, expected=listed(regions))
    if regions and spec.region and spec.region not in regions:
        yield Problem(
            "SYN213",
            (*SPEC, "region"),
            f"there is no endpoint in the region {spec.region!r}",
            expected=listed(regions),
            suggestion=nearest(spec.region, regions),
        )


def _file_stream(stream: FileStream, path: Path) -> Iterator[Problem]:
    schema = stream.record_schema
    for pattern in stream.patterns:
        if pattern.startswith("/") or ".." in pattern.split("/"):
            yield Problem(
                "SYN205",
                (*path, "files"),
                f"{pattern!r} leaves the integration's root",
                expected="a glob under the root: customers-*.csv",
                help="Set `root` in the integration's config instead.",
            )
    if schema is not None:
        yield from check_schema(schema.properties, schema.required, (*path, "schema"))
        yield from unknown_names(stream.key, schema.properties, (*path, "key"), "field of the schema")
    if not stream.csv.header and not stream.csv.columns:
        yield Problem(
            "SYN202", (*path, "csv", "columns"), "a file without a header needs the field 'columns'", expected="names"
        )


def _table_stream(stream: TableStream, path: Path) -> Iterator[Problem]:
    given = [name for name in ("table", "query") if getattr(stream, name)]
    if len(given) != 1:
        yield choice(given, ("table", "query"), path, "a stream of a database")
    if stream.query and not stream.key:
        yield Problem("SYN202", (*path, "key"), "a query needs the field 'key'", expected="columns that identify a row")
    if (schema := stream.record_schema) is not None:
        yield from check_schema(schema.properties, schema.required, (*path, "schema"))


def _mapping(spec: MappingSpec) -> Iterator[Problem]:
    names = [f.to for f in spec.fields]
    fields = (*SPEC, "fields")
    yield from repeated(names, fields, "to", "target field")
    yield from unknown_names(spec.key, names, (*SPEC, "key"), "target field")
    for position, field in enumerate(spec.fields):
        yield from _mapped_field(field, (*fields, position))
    for kind, name in spec.subject.items():
        if name not in names:
            message = f"the mapping has no target field {name!r}"
            place = (*SPEC, "subject", kind)
            yield Problem("SYN213", place, message, expected=listed(names), suggestion=nearest(name, names))
    for position, test in enumerate(spec.tests):
        yield from _mapping_test(test, names, (*SPEC, "tests", position))


def _mapped_field(field: MappedField, path: Path) -> Iterator[Problem]:
    # `const: null` is a choice: what counts is that the field is written.
    names = {"from": "source", "const": "const", "template": "template"}
    given = [alias for alias, name in names.items() if name in field.model_fields_set]
    if len(given) != 1:
        yield choice(given, tuple(names), path, f"the target field {field.to!r}")
    if field.zone is not None:
        yield from check_zone(field.zone, (*path, "zone"))


def _mapping_test(test: MappingTest, names: list[str], path: Path) -> Iterator[Problem]:
    given = [n for n in ("expect", "reject") if getattr(test, n) is not None] + (["skip"] if test.skip else [])
    if len(given) != 1:
        yield choice(given, ("expect", "reject", "skip"), path, "a test")
    for name in test.expect or ():
        if name not in names:
            yield Problem(
                "SYN213",
                (*path, "expect", name),
                f"the mapping has no target field {name!r}",
                expected=listed(names),
                suggestion=nearest(name, names),
                at_key=True,
            )
    if test.reject is not None and test.reject not in names:
        yield Problem(
            "SYN213",
            (*path, "reject"),
            f"the mapping has no target field {test.reject!r}",
            expected=listed(names),
            suggestion=nearest(test.reject, names),
        )


def _flow(spec: SyncSpec | ImportSpec) -> Iterator[Problem]:
    if spec.source == spec.to:
        yield Problem("SYN205", (*SPEC, "to"), f"it would write to where it reads from, {spec.to!r}")
    yield from _looks(spec.drift)


def _looks(drift: Drift) -> Iterator[Problem]:
    if drift.every is not None and units.duration(drift.every) < 1:
        said = f"{drift.every} is too short a time between looks"
        yield Problem("SYN205", (*SPEC, "drift", "every"), said, expected="1s or more")
    yield from reactions.declared(drift, (*SPEC, "drift"))


def _subscription(spec: SubscriptionSpec) -> Iterator[Problem]:
    yield from exactly_one(spec.do, ("notify", "webhook"), (*SPEC, "do"), "a subscription")
    for position, event in enumerate(spec.on):
        if event not in NOTICES:
            yield not_one_of(event, NOTICES, (*SPEC, "on", position), "type of event")
    yield from repeated(list(spec.on), (*SPEC, "on"), "", "type of event")
    if spec.repeat_every is not None and units.duration(spec.repeat_every) < SOONEST_REMINDER:
        yield Problem(
            "SYN205",
            (*SPEC, "repeatEvery"),
            f"{spec.repeat_every} is too short a time between reminders",
            expected=f"{SOONEST_REMINDER}s or more",
        )


def _source(spec: SourceSpec) -> Iterator[Problem]:
    chosen = [name for name in ("branch", "tag", "commit") if getattr(spec, name)]
    if len(chosen) > 1:
        yield choice(chosen, ("branch", "tag", "commit"), SPEC, "a source")
    if spec.tls.model_fields_set and not spec.url.startswith("https://"):
        yield Problem(
            "SYN914",
            (*SPEC, "tls"),
            "`tls` is about a server that is spoken to over TLS, and this one isn't",
            expected="https:// as its url",
            at_key=True,
        )
    scopes = {name: kind.scope for name, kind in KIND_BY_NAME.items() if name not in {"Tenant", "Source"}}
    for field_, without in (("kinds", "shared"), ("shared", "tenant")):
        for position, kind in enumerate(getattr(spec.declares, field_)):
            known = [name for name, scope in scopes.items() if scope != without]
            if kind not in known:
                yield not_one_of(kind, known, (*SPEC, "declares", field_, position), "kind for a source")
    for position, transfer in enumerate(spec.transfers):
        if (transfer.from_ is None) == (transfer.to is None):
            given = ["from", "to"] if transfer.to else []
            yield choice(given, ("from", "to"), (*SPEC, "transfers", position), "a transfer")


#: A check's argument is the kind's own spec model, which the loader guarantees.
CHECKS: Final[dict[str, Callable[[Any], Iterator[Problem]]]] = {
    "AuthConfig": _auth,
    "Tenant": _tenant,
    "Policy": _policy,
    "Connector": _connector,
    "Integration": _integration,
    "Mapping": _mapping,
    "Sync": _flow,
    "Import": _flow,
    "Schedule": check_schedule,
    "Source": _source,
    "Subscription": _subscription,
}
