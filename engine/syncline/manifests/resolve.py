"""Manifests to what is desired: every reference followed, every pair of objects that must agree compared.

Pure, and independent of the order in which manifests come. A tenant's findings never name what another tenant owns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from syncline.kinds import KIND_BY_NAME
from syncline.kinds.auth_type import offer_of, offered_types
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.file_stream import FileStream
from syncline.kinds.import_ import ImportSpec
from syncline.kinds.integration import IntegrationSpec, connector_name
from syncline.kinds.mapping import MappingSpec
from syncline.kinds.sync import SyncSpec
from syncline.kinds.table import TableStream
from syncline.kinds.tls import Tls
from syncline.manifests import versions
from syncline.manifests.catalog import catalog as shipped
from syncline.manifests.demands.anonymity import anonymity
from syncline.manifests.demands.chains import check_chains
from syncline.manifests.demands.config import check_config
from syncline.manifests.demands.control import control
from syncline.manifests.demands.deletes import absent, deletes, retirement
from syncline.manifests.demands.features import unexecuted
from syncline.manifests.demands.queues import fed, shared
from syncline.manifests.demands.reactions import reactions
from syncline.manifests.demands.reserved import reserved_secrets, reserved_settings
from syncline.manifests.demands.retained import retained
from syncline.manifests.demands.rollback import rollback
from syncline.manifests.demands.writes import writes
from syncline.manifests.desired import Desired
from syncline.manifests.findings import Problem
from syncline.manifests.flow import Flow, Side, flows
from syncline.manifests.locations import settings_of
from syncline.manifests.shelf import Catalog
from syncline.manifests.text import listed, nearest
from syncline.model.diagnostic import Diagnostic, Place, Related, Severity
from syncline.model.key import ObjectKey
from syncline.model.kind import Reference
from syncline.model.manifest import Manifest

if TYPE_CHECKING:
    from syncline.kinds.rest_stream import RestStream

__all__ = ["Desired", "Resolved", "desired_of", "resolve"]

#: Runtimes that can be read from in this version; all can be written to.
READABLE = frozenset({"file", "rest", "sql"})


class Resolved(Struct, frozen=True):
    """What is desired, and what keeps it from being so."""

    desired: Desired
    diagnostics: tuple[Diagnostic, ...] = ()


def desired_of(manifests: Iterable[Manifest]) -> Desired:
    """What manifests declare, without what keeps it from being so: of what is applied, that was asked before."""
    return Desired.of(_ordered(manifests), shipped())


def _ordered(manifests: Iterable[Manifest]) -> list[Manifest]:
    return sorted(manifests, key=lambda m: (m.key, m.place))


def resolve(
    manifests: Iterable[Manifest],
    broken: Collection[ObjectKey] = (),
    catalog: Catalog | None = None,
) -> Resolved:
    """Resolves what was loaded. `broken` is `LoadResult.broken`; `catalog` is the shipped one by default."""
    ordered = _ordered(manifests)
    desired = Desired.of(ordered, shipped() if catalog is None else catalog)
    missing = _Missing(desired, frozenset(broken))
    diagnostics = [*_duplicates(ordered), *_moves(desired)]
    resolvable = {flow.key: flow for flow in flows(desired)}
    used = _credentials_in_use(desired, resolvable.values())
    for manifest in desired.objects.values():
        found = [*_tenant(manifest, missing), *_references(manifest, missing)]
        found += (*_unexecuted(manifest, used), *reserved_secrets(manifest))
        match manifest.spec:
            case IntegrationSpec():
                found += _integration(manifest, manifest.spec, desired)
            case SyncSpec() | ImportSpec():
                flow = resolvable.get(manifest.key)
                found += _flow(flow) if flow is not None else ()
            case _:
                pass
        diagnostics += [_diagnostic(problem, manifest) for problem in found]
    diagnostics += [_diagnostic(problem, flow.manifest) for flow, problem in shared(resolvable.values())]
    diagnostics += check_chains(desired)
    diagnostics.sort(key=Diagnostic.sort_key)
    return Resolved(desired, tuple(diagnostics))


class _Missing(Struct, frozen=True):
    """Decides whether a name means nothing, or something that is declared but not valid."""

    desired: Desired
    broken: frozenset[ObjectKey]

    def __call__(self, tenant: str, kind: str, name: str) -> bool:
        declared = {ObjectKey(tenant, kind, name), ObjectKey("", kind, name)}
        return self.desired.find(tenant, kind, name) is None and not declared & self.broken


def _credentials_in_use(desired: Desired, resolvable: Iterable[Flow]) -> frozenset[ObjectKey]:
    """AuthConfigs by which a flow reads or writes."""
    sides = [(flow.key.tenant, side) for flow in resolvable for side in (flow.source, flow.target)]
    found: set[ObjectKey] = set()
    for tenant, side in sides:
        assert isinstance(side.integration.spec, IntegrationSpec)
        name = side.integration.spec.auth
        auth = desired.find(side.integration.key.tenant or tenant, "AuthConfig", name) if name else None
        found |= {auth.key} if auth else set()
    return frozenset(found)


def _unexecuted(manifest: Manifest, used: frozenset[ObjectKey]) -> Iterator[Problem]:
    for problem in unexecuted(manifest):
        # Credentials that nothing runs with do no harm yet.
        idle = manifest.key.kind == "AuthConfig" and manifest.key not in used
        yield replace(problem, warning=True) if idle else problem


def _duplicates(ordered: Iterable[Manifest]) -> Iterator[Diagnostic]:
    first: dict[ObjectKey, Manifest] = {}
    for manifest in ordered:
        known = first.setdefault(manifest.key, manifest)
        if known is not manifest:
            problem = Problem(
                "SYN220", ("metadata", "name"), f"{manifest.key} is declared twice", help="Keep one of the two."
            )
            related = (Related(known.place_of("metadata", "name"), "first declared here"),)
            yield _diagnostic(problem, manifest, related)


def _tenant(manifest: Manifest, missing: _Missing) -> Iterator[Problem]:
    tenant = manifest.key.tenant
    if tenant and missing("", "Tenant", tenant):
        # Only names of tenants are compared, and only with the writer's own: a pull request sees all of them anyway.
        yield Problem(
            "SYN222",
            ("metadata", "tenant"),
            f"the tenant {tenant!r} is not declared",
            suggestion=nearest(tenant, missing.desired.visible("", "Tenant")),
            help="Declare it: kind: Tenant with this name.",
        )


def _references(manifest: Manifest, missing: _Missing) -> Iterator[Problem]:
    tenant = manifest.key.tenant
    for reference in KIND_BY_NAME[manifest.key.kind].references(manifest.spec):
        if missing(tenant, reference.kind, reference.name):
            yield _unknown(reference, tenant, missing.desired)


def _unknown(reference: Reference, tenant: str, desired: Desired) -> Problem:
    names = sorted(set(desired.visible(tenant, reference.kind)))
    suggestion = nearest(reference.name, names)
    part, version = f"/{reference.part}" if reference.part else "", f"@{reference.version}" if reference.version else ""
    return Problem(
        "SYN221",
        reference.path,
        f"there is no {reference.kind} {reference.name!r}" + (f" for the tenant {tenant!r}" if tenant else ""),
        expected=listed(names),
        suggestion=f"{suggestion}{part}{version}" if suggestion else "",
        help="" if suggestion else f"Declare it: kind: {reference.kind} with this name.",
    )


def _moves(desired: Desired) -> Iterator[Diagnostic]:
    """Moves that can't be made: every other one can, in any order, since no two of them touch the same name.

    Swaps and chains of names are refused here with both places; they are made by two applies.
    """
    first: dict[ObjectKey, Manifest] = {}
    for manifest in desired.objects.values():
        if manifest.moved is None:
            continue
        path, key, previous = ("metadata", "moved"), manifest.key, manifest.previous
        assert previous is not None
        if previous.tenant != key.tenant or key.kind == "Tenant":
            # Before anything that tells whether the other object is there: it may be another tenant's.
            what = "a tenant can't be renamed" if key.kind == "Tenant" else f"{key} can't be moved from {previous}"
            why = "what is sealed and hashed for a tenant stays under the name that it had"
            problem = Problem(
                "SYN236",
                path,
                f"{what}: {why}",
                expected="a former name in the same tenant",
                help="Remove metadata.moved: it is a new object, and the old one is retired.",
            )
            yield _diagnostic(problem, manifest)
        elif previous in desired.objects:
            said = "itself" if previous == key else f"{previous}, which is still declared"
            problem = Problem(
                "SYN233",
                path,
                f"{key} can't be moved from {said}",
                help="Remove metadata.moved, or the old declaration; names are exchanged by two applies.",
            )
            place = desired.objects[previous].place_of("metadata", "name")
            yield _diagnostic(problem, manifest, () if previous == key else (Related(place, "still declared here"),))
        elif (known := first.setdefault(previous, manifest)) is not manifest:
            problem = Problem(
                "SYN235",
                path,
                f"{key} can't be moved from {previous}, which {known.key} is moved from",
                help="Only one of them can have its history: remove metadata.moved from the other.",
            )
            yield _diagnostic(problem, manifest, (Related(known.place_of(*path), "also moved here"),))


# --- integrations ----------------------------------------------------------------------------------------------------


def _integration(manifest: Manifest, spec: IntegrationSpec, desired: Desired) -> Iterator[Problem]:
    tenant = manifest.key.tenant
    name, wanted = connector_name(spec.connector)
    known = desired.connectors(tenant, name)
    if not known:
        return
    yield from _version(name, wanted, [m.key.version for m in known])
    connector = (desired.find(tenant, "Connector", name, wanted) or known[-1]).spec
    assert isinstance(connector, ConnectorSpec)
    yield from check_config(spec.config, connector.config, name)
    yield from reserved_settings(spec, connector)
    if spec.endpoints:
        from syncline.manifests.demands.origins import check_endpoints

        yield from check_endpoints(spec, connector)
    yield from _auth(spec, connector, name, desired.find(tenant, "AuthConfig", spec.auth) if spec.auth else None)
    if spec.proxy is not None and connector.http is None:
        yield Problem(
            "SYN271",
            ("spec", "proxy"),
            f"a proxy leads to what is asked over HTTP only; the connector {name!r} isn't: it declares no http",
            help="Remove it: this system is reached directly.",
            at_key=True,
        )
    if spec.proxy is not None and spec.proxy.tls != Tls() and not spec.proxy.url.startswith("https://"):
        yield Problem(
            "SYN571",
            ("spec", "proxy", "tls"),
            "`tls` is about a proxy that is spoken to over TLS, and this one isn't",
            expected="https://HOST:PORT as proxy.url",
            at_key=True,
        )
    yield from _tls(spec, connector, name)
    if spec.streams and connector.runtime != "file":
        yield Problem(
            "SYN230",
            ("spec", "streams"),
            f"streams of files need the runtime file; the connector {name!r} has {connector.runtime}",
            help="Remove them: this connector knows its own streams.",
            at_key=True,
        )


def _tls(spec: IntegrationSpec, connector: ConnectorSpec, name: str) -> Iterator[Problem]:
    """Whether something speaks TLS that something is asked of, and can do what is asked."""
    if not spec.tls.model_fields_set:
        return
    settings = settings_of(spec, connector)
    url = str(settings.get("url", ""))
    mode = settings.get("tls") if connector.runtime in {"sql", "smtp"} else None
    database = connector.runtime == "sql" and url.startswith(("mariadb:", "postgres"))
    if connector.http is None and (mode in {"off", "none"} or not (database or connector.runtime == "smtp")):
        yield Problem(
            "SYN914",
            ("spec", "tls"),
            f"`tls` is about a system that is spoken to over TLS, and {name!r} isn't"
            + (f": config.tls is {mode}" if mode else ""),
            help="Remove it" + (", or config.tls." if mode else "."),
            at_key=True,
        )
    elif spec.tls.pins and url.startswith("postgres"):
        yield Problem(
            "SYN915",
            ("spec", "tls", "pins"),
            "PostgreSQL's own library, by which it is spoken to, compares no keys",
            help="Name the authority that issues this server's certificates, and no others, in `tls.ca`.",
            at_key=True,
        )


def _version(name: str, wanted: str, known: list[str]) -> Iterator[Problem]:
    """Whether a version is in the range, and whether the range says which major version is meant, of several."""
    fitting = [v for v in known if versions.includes(wanted, v)]
    if not fitting:
        has = f"has the version{'s' if len(known) > 1 else ''} {' and '.join(known)}"
        yield Problem(
            "SYN223",
            ("spec", "connector"),
            f"the connector {name!r} {has}, "
            + (f"which {wanted!r} excludes" if wanted else "a pre-release that isn't named"),
            expected=wanted or "a range that names a pre-release of these numbers",
            suggestion=f"{name}@^{versions.latest(known)}",
        )
    elif len({versions.version(v)[0] for v in fitting}) > 1:
        yield Problem(
            "SYN261",
            ("spec", "connector"),
            f"{wanted or 'no range'!r} leaves open which version of {name!r} is meant: {listed(fitting)}",
            expected="a range of one major version",
            suggestion=f"{name}@^{fitting[-1]}",
            help=f"The highest is used, {fitting[-1]}; the next major version would be used as soon as it is declared.",
            warning=True,
        )


def _auth(spec: IntegrationSpec, connector: ConnectorSpec, name: str, auth: Manifest | None) -> Iterator[Problem]:
    types = offered_types(connector.auth)
    offered = listed([t for t in types if t != "none"])
    if spec.auth is None:
        if "none" not in types:
            yield Problem(
                "SYN225",
                ("spec",),
                f"the connector {name!r} needs authentication",
                expected=f"auth: an AuthConfig of type {offered}",
            )
        return
    if auth is None:
        return
    from syncline.kinds.auth import AuthConfigSpec, merged, missing

    assert isinstance(auth.spec, AuthConfigSpec)
    declared = auth.spec.root
    if declared.type not in types:
        yield Problem(
            "SYN225",
            ("spec", "auth"),
            f"{auth.key.name!r} is of type {declared.type}, which the connector {name!r} doesn't offer",
            expected=offered or "no authentication",
        )
    elif lacking := missing(merged(declared, offer_of(connector.auth, declared.type))):
        yield Problem(
            "SYN225",
            ("spec", "auth"),
            f"{auth.key.name!r} needs {listed(lacking)}, which the connector {name!r} doesn't declare either",
            help=f"Set it in the AuthConfig, or beside {declared.type} in the connector's auth.",
        )


# --- flows -----------------------------------------------------------------------------------------------------------


def _flow(flow: Flow) -> Iterator[Problem]:
    source = flow.source
    if source.runtime not in READABLE:
        yield Problem(
            "SYN234",
            ("spec", "from"),
            f"this version can't read from {source.integration.key.name!r} (the runtime {source.runtime})",
            expected=f"an integration with the runtime {listed(sorted(READABLE))}",
        )
    elif source.declaration is None:
        yield _no_stream(source)
    yield from writes(flow)
    yield from deletes(flow)
    yield from retirement(flow)
    yield from control(flow)
    yield from anonymity(flow)
    yield from reactions(flow)
    yield from absent(flow)
    yield from rollback(flow)
    yield from retained(flow)
    yield from fed(flow)
    yield from _read_mode(flow)
    yield from _key(flow)


def _no_stream(side: Side) -> Problem:
    names = side.streams
    return Problem(
        "SYN224",
        ("spec", "from"),
        f"{side.integration.key.name!r} has no stream {side.stream!r}",
        expected=listed(names) or "a stream that the integration declares",
        suggestion=f"{side.integration.key.name}/{close}" if (close := nearest(side.stream, names)) else "",
    )


def _read_mode(flow: Flow) -> Iterator[Problem]:
    if flow.spec.read not in {"incremental", "changed"} or flow.source.declaration is None:
        return
    if isinstance(flow.spec, ImportSpec):
        if not isinstance(flow.source.declaration, FileStream):
            yield Problem("SYN231", ("spec", "read"), "only of files it is known whether they changed", expected="full")
    elif not _incremental(flow.source.declaration):
        yield Problem(
            "SYN231",
            ("spec", "read"),
            f"the stream {flow.source.stream!r} has no cursor to read past",
            expected="full",
            suggestion="full",
            help="Declare the stream's cursor in its connector, or read everything.",
        )
    if flow.spec.write == "replace":
        yield Problem(
            "SYN231",
            ("spec", "write"),
            f"read: {flow.spec.read} with write: replace would keep only what changed",
            expected="upsert or append",
            suggestion="upsert",
        )


def _incremental(declaration: RestStream | FileStream | TableStream) -> bool:
    """Whether a stream can be read past a position of its own, or of the parents that it is read for."""
    if isinstance(declaration, FileStream):
        return False
    if isinstance(declaration, TableStream):
        return declaration.cursor is not None
    return declaration.cursor is not None or any(item.changed for item in declaration.read_for)


def _key(flow: Flow) -> Iterator[Problem]:
    spec, mapping = flow.spec, flow.mapping.spec
    assert isinstance(mapping, MappingSpec)
    names = [f.to for f in mapping.fields if f.protect != "drop"]
    if spec.write == "upsert" and not flow.target_key:
        yield Problem(
            "SYN232",
            ("spec", "write"),
            "write: upsert needs a key, and neither this nor the mapping has one",
            expected=f"key: names of target fields ({listed(names)})",
            help="Add key here or in the mapping, or use write: append.",
        )
    for position, name in enumerate(spec.key):
        if name not in names:
            yield Problem(
                "SYN213",
                ("spec", "key", position),
                f"{name!r} is no target field of the mapping {flow.mapping.key.name!r}",
                expected=listed(names),
                suggestion=nearest(name, names),
            )


# --- shared ----------------------------------------------------------------------------------------------------------


def _diagnostic(problem: Problem, manifest: Manifest, related: tuple[Related, ...] = ()) -> Diagnostic:
    return Diagnostic(
        code=problem.code,
        message=problem.message,
        place=_place(problem, manifest),
        severity=Severity.warning if problem.warning else Severity.error,
        expected=problem.expected,
        suggestion=problem.suggestion,
        help=problem.help,
        subject=str(manifest.key),
        related=related,
    )


def _place(problem: Problem, manifest: Manifest) -> Place:
    found = manifest.key_places.get(problem.path) if problem.at_key else None
    return found or manifest.place_of(*problem.path)
