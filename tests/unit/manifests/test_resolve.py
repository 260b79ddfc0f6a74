"""Resolving: references, tenants, connectors and their configuration, flows, and what this version doesn't execute."""

from __future__ import annotations

import random

import pytest

from syncline.manifests.catalog import catalog
from syncline.manifests.flow import flow_of, flows
from syncline.manifests.load import load_text
from syncline.manifests.resolve import resolve
from syncline.model.diagnostic import Severity
from syncline.model.key import ObjectKey

BASE = """\
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme}
spec: {}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: crm, tenant: acme}
spec:
  connector: file@^1
  endpoints: [{region: eu-west, url: "https://files.example.com"}]
  streams:
    customers: {files: c*.csv, key: [id], schema: {properties: {id: {type: string, x-class: pii.id}}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: warehouse, tenant: acme}
spec: {connector: sqlite@^1, region: eu-north, config: {path: w.db}}
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: customer, tenant: acme}
spec: {key: [id], fields: [{to: id, from: id}, {to: gone, from: x, protect: drop}]}
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: customers, tenant: acme}
spec: {from: crm/customers, mapping: customer, to: warehouse/customers}
"""

API = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: helpdesk, tenant: acme}
spec:
  version: 1.3.0
  auth: [bearer]
  config:
    properties:
      site: {pattern: "[a-z]+"}
      pages: {type: integer}
      since: {format: date}
      token: {secret: true}
      mode: {enum: [fast, slow]}
    required: [site]
  http: {url: "https://{{ config.site }}.example.com"}
  streams:
    tickets: {get: /tickets, cursor: {field: updated}, schema: {properties: {updated: {type: string}}}}
    users: {get: /users}
    comments: {get: /comments, for: {each: tickets, as: ticket}}
---
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: token, tenant: acme}
spec: {type: bearer, token: {secretRef: {provider: env, key: TOKEN}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: desk, tenant: acme}
spec: {connector: helpdesk@~1.3, auth: token, config: {site: acme}}
"""


def resolved(*contents):
    results = [load_text(content, f"{chr(97 + n)}.yaml") for n, content in enumerate(contents)]
    assert [d for r in results for d in r.diagnostics] == []
    return resolve([m for r in results for m in r.manifests])


def findings(*contents):
    return [(d.code, str(d.place), d.message, d.suggestion) for d in resolved(*contents).diagnostics]


def sync(spec, kind="Sync"):
    return f"apiVersion: syncline/v1\nkind: {kind}\nmetadata: {{name: x, tenant: acme}}\nspec: {{{spec}}}\n"


def test_base():
    """A repository whose references all resolve has no findings."""
    assert findings(BASE, API) == []


def test_flow():
    """A flow has both sides with their connector, stream, schema and region, its mapping and its key."""
    desired = resolved(BASE).desired
    flow = flow_of(desired, ObjectKey("acme", "Sync", "customers"))

    assert flow is not None
    assert (flow.source.integration.key.name, flow.source.connector.key.base) == ("crm", "file")
    assert (flow.source.stream, flow.source.region, flow.source.schema.names) == ("customers", "eu-west", ("id",))
    assert flow.source.schema.fields[0].data_class == "pii.id"
    assert (flow.target.connector.key.base, flow.target.declaration, flow.target.region) == ("sqlite", None, "eu-north")
    assert (flow.mapping.key.name, flow.target_key) == ("customer", ("id",))
    assert flows(desired) == (flow,)
    assert flow_of(desired, ObjectKey("acme", "Mapping", "customer")) is None


def test_flows_are_resolved_once():
    """What is declared doesn't change: who asks again is given the same flows; another declaration has its own."""
    first = resolved(BASE).desired
    second = resolved(BASE, sync("from: crm/customers, mapping: customer, to: warehouse/x")).desired

    assert flows(first) is flows(first)
    assert [flow.key.name for flow in flows(second)] == ["customers", "x"]


def test_own_key_wins():
    """A sync's own key counts instead of the mapping's."""
    desired = resolved(
        BASE.replace("fields: [", "fields: [{to: no, from: no}, "),
        sync("from: crm/customers, mapping: customer, to: warehouse/x, key: [no]"),
    ).desired

    assert flow_of(desired, ObjectKey("acme", "Sync", "x")).target_key == ("no",)


def test_flows_that_do_not_resolve_are_left_out():
    """A sync that refers to nothing is a finding, and no flow."""
    found = resolved(BASE, sync("from: crm/customers, mapping: missing, to: warehouse/x"))

    assert [d.code for d in found.diagnostics] == ["SYN221"]
    assert [flow.key.name for flow in flows(found.desired)] == ["customers"]


def test_duplicates():
    """An object that is declared twice is one finding, at the second place, with the first beside it."""
    found = resolved(BASE, "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {title: Other}\n")
    (finding,) = found.diagnostics

    assert (finding.code, str(finding.place), str(finding.related[0].place)) == ("SYN220", "b.yaml:3:18", "a.yaml:3:18")


REFERENCES = {
    "mapping": (
        sync("from: crm/customers, mapping: custmer, to: warehouse/x"),
        ("SYN221", "b.yaml:4:38", "there is no Mapping 'custmer' for the tenant 'acme'", "customer"),
    ),
    "integration": (
        sync("from: cmr/customers, mapping: customer, to: warehouse/x"),
        ("SYN221", "b.yaml:4:14", "there is no Integration 'cmr' for the tenant 'acme'", "crm/customers"),
    ),
    "stream": (
        sync("from: crm/custmers, mapping: customer, to: warehouse/x"),
        ("SYN224", "b.yaml:4:14", "'crm' has no stream 'custmers'", "crm/customers"),
    ),
    "connector": (
        sync("connector: sqlit@^1", "Integration"),
        ("SYN221", "b.yaml:4:19", "there is no Connector 'sqlit' for the tenant 'acme'", "sqlite@^1"),
    ),
    "version": (
        sync("connector: sqlite@^2, config: {path: x}", "Integration"),
        ("SYN223", "b.yaml:4:19", "the connector 'sqlite' has the version 1.0.0, which '^2' excludes", "sqlite@^1.0.0"),
    ),
    "tenant": (
        sync("key: [], fields: [{to: a, from: a}]", "Mapping").replace("acme", "amce"),
        ("SYN222", "b.yaml:3:29", "the tenant 'amce' is not declared", "acme"),
    ),
    "moved": (
        sync("from: crm/customers, mapping: customer, to: warehouse/x").replace(
            "tenant: acme", "tenant: acme, moved: {name: customers}"
        ),
        (
            "SYN233",
            "b.yaml:3:42",
            "acme/Sync/x can't be moved from acme/Sync/customers, which is still declared",
            "",
        ),
    ),
    "moved to another tenant": (
        sync("from: crm/customers, mapping: customer, to: warehouse/x").replace(
            "tenant: acme", "tenant: acme, moved: {name: customers, tenant: globex}"
        ),
        (
            "SYN236",
            "b.yaml:3:42",
            (
                "acme/Sync/x can't be moved from globex/Sync/customers: what is sealed and hashed for a tenant stays under the "
                "name that it had"
            ),
            "",
        ),
    ),
    "schedule": (
        sync("every: 1h, run: [Sync/custmers]", "Schedule"),
        ("SYN221", "b.yaml:4:25", "there is no Sync 'custmers' for the tenant 'acme'", "customers"),
    ),
}


@pytest.mark.parametrize(("content", "expected"), REFERENCES.values(), ids=REFERENCES)
def test_references(content, expected):
    """A reference that doesn't resolve is one error at its place, with what was probably meant."""
    errors = [d for d in resolved(BASE, content).diagnostics if d.severity is Severity.error]

    assert [(d.code, str(d.place), d.message, d.suggestion) for d in errors] == [expected]


def moves(*names_and_former):
    """Findings about syncs, each with the name it had before."""
    one = "from: crm/customers, mapping: customer, to: warehouse/x"
    manifests = [
        sync(one).replace("name: x, tenant: acme", f"name: {name}, tenant: acme, moved: {{name: {former}}}")
        for name, former in names_and_former
    ]
    return [(d.code, d.subject, [str(r.place) for r in d.related]) for d in resolved(BASE, *manifests).diagnostics]


def test_only_one_object_is_moved_from_another():
    """Two moves from one object are refused at the second, which names the place of the first."""
    assert moves(("a", "old"), ("b", "old")) == [("SYN235", "acme/Sync/b", ["b.yaml:3:42"])]


def test_names_are_not_exchanged_or_passed_on_at_once():
    """Swaps and chains of names are refused, with the place of the declaration that stands against each."""
    assert moves(("a", "b"), ("b", "a")) == [
        ("SYN233", "acme/Sync/a", ["c.yaml:3:18"]),
        ("SYN233", "acme/Sync/b", ["b.yaml:3:18"]),
    ]
    assert moves(("b", "a"), ("c", "b")) == [("SYN233", "acme/Sync/c", ["b.yaml:3:18"])]


def test_a_tenant_is_not_renamed():
    """A tenant's keys are under its name, so that another name is another tenant."""
    tenant = BASE.partition("---")[0].replace("name: acme", "name: bravo, moved: {name: acme}")
    assert [code for code, *_ in findings(BASE, tenant)] == ["SYN236"]


def test_other_tenants_are_invisible():
    """A name of another tenant doesn't resolve, is not suggested and is not listed."""
    other = (
        BASE.replace("acme", "bravo")
        .replace("customer, tenant", "hidden-mapping, tenant")
        .replace("mapping: customer", "mapping: hidden-mapping")
    )
    found = resolved(BASE, other, sync("from: crm/customers, mapping: hidden-mapping, to: warehouse/x"))
    (finding,) = found.diagnostics

    assert (finding.code, finding.suggestion, finding.expected) == ("SYN221", "", "customer")
    assert "bravo" not in repr(finding)


def test_shared_objects_resolve_after_own_ones():
    """A tenant's own object wins over a shared one of the same name, which wins over the catalogue's."""
    shared = "apiVersion: syncline/v1\nkind: Mapping\nmetadata: {name: customer}\nspec: {fields: [{to: a, from: a}]}\n"
    connector = (
        "---\napiVersion: syncline/v1\nkind: Connector\nmetadata: {name: file}\nspec: {version: 1.9.0, runtime: file}\n"
    )
    desired = resolved(BASE, shared + connector).desired

    assert desired.find("acme", "Mapping", "customer").key == ObjectKey("acme", "Mapping", "customer")
    assert desired.find("bravo", "Mapping", "customer").key == ObjectKey("", "Mapping", "customer")
    assert desired.find("acme", "Connector", "file").spec.version == "1.9.0"
    assert desired.find("acme", "Connector", "sqlite") is catalog()[ObjectKey("", "Connector", "sqlite@1.0.0")]
    assert desired.find("acme", "Connector", "none") is None


def test_catalog_is_not_desired():
    """The shipped connectors resolve, and are no objects of the repository."""
    desired = resolved(BASE).desired

    assert {key.base for key in catalog() if key.kind == "Connector"} >= {"file", "sqlite", "postgresql"}
    assert all(key not in desired.objects for key in catalog())


def test_broken_objects_are_not_unknown():
    """A reference to an object that has findings of its own is no second finding."""
    broken = load_text(sync("key: [], fields: []", "Mapping").replace("name: x", "name: bad"), "b.yaml")
    manifests = [*load_text(BASE, "a.yaml").manifests]
    manifests += load_text(sync("from: crm/customers, mapping: bad, to: warehouse/x"), "c.yaml").manifests

    assert resolve(manifests, broken.broken).diagnostics == ()
    assert [d.code for d in resolve(manifests).diagnostics] == ["SYN221"]


INTEGRATIONS = {
    "unknown setting": ("config: {site: a, sitee: b}", "SYN226", "the connector 'helpdesk' has no setting 'sitee'"),
    "missing setting": ("config: {}", "SYN227", "the connector 'helpdesk' needs the setting 'site'"),
    "wrong type": ("config: {site: a, pages: '1'}", "SYN228", "the setting 'pages' has the wrong type"),
    "true is no integer": ("config: {site: a, pages: true}", "SYN228", "the setting 'pages' has the wrong type"),
    "not a value": ("config: {site: a, mode: fats}", "SYN228", "'fats' is not one of the values of the setting 'mode'"),
    "pattern": (
        "config: {site: A1}",
        "SYN228",
        "the setting 'site' has a form that the connector doesn't accept",
    ),
    "format": (
        "config: {site: a, since: yesterday}",
        "SYN228",
        "the setting 'since' has a form that the connector doesn't accept",
    ),
}


@pytest.mark.parametrize(("config", "code", "message"), INTEGRATIONS.values(), ids=INTEGRATIONS)
def test_config(config, code, message):
    """A setting that the connector doesn't have, needs, or takes in this form is a finding."""
    content = sync(f"connector: helpdesk, auth: token, {config}", "Integration")

    assert [(f[0], f[2]) for f in findings(BASE, API, content)] == [(code, message)]


def test_secret_setting():
    """A setting that the connector calls secret must be a reference, and its value is not shown."""
    api = API.replace("token: {secret: true}", "pin: {secret: true}")
    content = sync("connector: helpdesk, auth: token, config: {site: a, pin: '4711'}", "Integration")
    (finding,) = resolved(BASE, api, content).diagnostics

    assert finding.code == "SYN229"
    assert "4711" not in repr(finding)


def test_authentication():
    """An AuthConfig must be of a type that the connector offers, and there must be one where it needs one."""
    basic = "apiVersion: syncline/v1\nkind: AuthConfig\nmetadata: {name: b, tenant: acme}\nspec: {type: basic, username: u, password: {secretRef: {provider: env, key: P}}}\n"

    assert [
        f[:3]
        for f in findings(
            BASE, API, basic + "---\n" + sync("connector: helpdesk, auth: b, config: {site: a}", "Integration")
        )
    ] == [("SYN225", "c.yaml:9:35", "'b' is of type basic, which the connector 'helpdesk' doesn't offer")]
    assert [f[:3] for f in findings(BASE, API, sync("connector: helpdesk, config: {site: a}", "Integration"))] == [
        ("SYN225", "c.yaml:4:7", "the connector 'helpdesk' needs authentication")
    ]


def test_file_streams():
    """Only connectors with the runtime file take streams of files."""
    content = sync("connector: sqlite, config: {path: x}, streams: {a: {files: a.csv}}", "Integration")

    assert [f[:2] for f in findings(BASE, content)] == [("SYN230", "b.yaml:4:46")]


def test_proxies():
    """Only HTTP APIs are reached through an HTTP proxy."""
    content = sync("connector: sqlite, config: {path: x}, proxy: {url: 'http://proxy.example:3128'}", "Integration")

    assert [f[:2] for f in findings(BASE, content)] == [("SYN271", "b.yaml:4:46")]


@pytest.mark.parametrize(
    ("system", "codes"),
    [
        ("connector: sqlite, config: {path: x}, tls: {ca: ca.pem}", ["SYN914"]),
        ("connector: sftp, config: {url: 'sftp://h/x', hostKeys: k}, auth: b, tls: {ca: ca.pem}", ["SYN914"]),
        ("connector: mariadb, config: {url: 'mariadb://h/x', tls: 'off'}, tls: {ca: ca.pem}", ["SYN914"]),
        ("connector: smtp, config: {host: h, from: a@b.example, tls: none}, tls: {min: '1.2'}", ["SYN914"]),
        ("connector: postgresql, config: {url: 'postgresql://h/x'}, tls: {pins: ['PIN']}", ["SYN915"]),
        ("connector: postgresql, config: {url: 'postgresql://h/x'}, tls: {ca: ca.pem}", []),
        ("connector: mariadb, config: {url: 'mariadb://h/x'}, tls: {pins: ['PIN']}", []),
        ("connector: smtp, config: {host: h, from: a@b.example}, tls: {pins: ['PIN']}", []),
        ("connector: s3-files, config: {}, tls: {pins: ['PIN']}", []),
    ],
)
def test_tls_of_what_speaks_it(system: str, codes: list[str]):
    """What is asked of TLS is refused where it would be for show: no TLS is spoken, or its keys aren't compared."""
    pinned = system.replace("PIN", "sha256/" + "A" * 43 + "=")

    assert [f[0] for f in findings(BASE, sync(pinned, "Integration")) if f[0].startswith("SYN91")] == codes


FLOWS = {
    "no cursor": ("from: desk/users, mapping: customer, to: warehouse/x, read: incremental", [("SYN231", "read")]),
    "incremental": ("from: desk/tickets, mapping: customer, to: warehouse/x, read: incremental", []),
    "incremental replace": (
        "from: desk/tickets, mapping: customer, to: warehouse/x, read: incremental, write: replace",
        [("SYN231", "write")],
    ),
    "to an API": ("from: crm/customers, mapping: customer, to: desk/users", [("SYN520", "to")]),
    "from a database": ("from: warehouse/x, mapping: customer, to: crm/x", [("SYN224", "from")]),
    "child stream": ("from: desk/comments, mapping: customer, to: warehouse/x", []),
    "own key": ("from: crm/customers, mapping: customer, to: warehouse/x, key: [idd]", [("SYN213", "key")]),
    "dropped key": ("from: crm/customers, mapping: customer, to: warehouse/x, key: [gone]", [("SYN213", "key")]),
    "deletes": ("from: crm/customers, mapping: customer, to: warehouse/x, deletes: hard", [("SYN525", "deletes")]),
    "deletes of an append": (
        "from: crm/customers, mapping: customer, to: warehouse/x, write: append, deletes: soft",
        [("SYN525", "deletes"), ("SYN525", "deletes")],
    ),
    "deletes of a replace": (
        "from: crm/customers, mapping: customer, to: warehouse/x, write: replace, guards: {maxDeletes: 1%}",
        [("SYN240", "guards")],
    ),
    "shrink as a count": (
        "from: crm/customers, mapping: customer, to: warehouse/x, write: replace, guards: {maxShrink: 5}",
        [("SYN240", "guards")],
    ),
    "conflicts": (
        "from: crm/customers, mapping: customer, to: warehouse/x, conflicts: newest",
        [("SYN240", "conflicts")],
    ),
}


@pytest.mark.parametrize(("spec", "expected"), FLOWS.values(), ids=FLOWS)
def test_flow_rules(spec, expected):
    """What a sync asks of its two systems must be there; each that isn't is one finding at the field."""
    content = sync(spec)
    found = resolved(BASE, API, content).diagnostics
    line = content.splitlines()[3]

    assert [
        (d.code, line[: d.place.column].replace("[", "").rpartition(":")[0].split(" ")[-1].strip("{")) for d in found
    ] == expected


def test_upsert_needs_a_key():
    """An upsert without a key in the sync or the mapping is a finding; an append is none."""
    base = BASE.replace("spec: {key: [id], fields", "spec: {fields")
    append = base.replace("to: warehouse/customers}", "to: warehouse/customers, write: append}")

    assert [f[0] for f in findings(base)] == ["SYN232"]
    assert findings(append) == []


def test_what_a_tenant_declares_is_executed():
    """Quotas, access and keys of a tenant are findings no more: each has its effect."""
    tenant = "spec: {quotas: {concurrentRuns: 2, spool: 10Gi}, access: {roles: {viewer: [ada]}}, keys: {rotation: 90d}}"
    assert resolved(BASE.replace("spec: {}", tenant)).diagnostics == ()


def test_a_network_of_egress_is_one():
    """Host bits in a network are a finding, wherever hosts are listed; a host name isn't taken for a network."""
    for name in ("allow", "private", "deny"):
        text = f"spec: {{egress: {{{name}: [10.1.2.3/8, 10.0.0.0/8, api.example.com]}}}}"
        assert [d.code for d in load_text(BASE.replace("spec: {}", text), "a.yaml").diagnostics] == ["SYN216"]


OAUTH = "type: oauth2, grant: client_credentials, clientId: a, clientSecret: {secretRef: {provider: env, key: K}}"


@pytest.mark.parametrize(
    ("offer", "codes"),
    [
        ("oauth2", ["SYN225"]),
        ("{type: oauth2}", ["SYN225"]),
        ("{type: oauth2, tokenUrl: 'https://id.example.com/token'}", []),
    ],
)
def test_details_of_authentication_come_from_the_connector(offer, codes):
    """What an AuthConfig doesn't set, the connector has to declare; a flow can't use it otherwise."""
    api = API.replace("auth: [bearer]", f"auth: [{offer}]").replace(
        "type: bearer, token: {secretRef: {provider: env, key: TOKEN}}", OAUTH
    )
    found = resolved(BASE, api).diagnostics

    assert [d.code for d in found] == codes
    assert all("'crm' needs tokenUrl" in d.message or "needs tokenUrl" in d.message for d in found)


def test_order_does_not_matter():
    """Every order of manifests gives the same desired objects, digest and findings."""
    broken = sync("from: cmr/customers, mapping: custmer, to: warehouse/x")
    manifests = [m for n, c in enumerate((BASE, API, broken, BASE)) for m in load_text(c, f"{n}.yaml").manifests]
    first = resolve(manifests)
    shuffle = random.Random(7)
    for _ in range(10):
        shuffle.shuffle(manifests)
        again = resolve(manifests)
        assert again.diagnostics == first.diagnostics
        assert again.desired.digest == first.desired.digest
        assert list(again.desired.objects) == sorted(first.desired.objects)


def test_digest_follows_names_and_specs():
    """The digest of what is desired changes with any object, and with nothing else."""
    first = resolved(BASE).desired.digest

    assert resolved(BASE.replace("{path: w.db}", "{'path': \"w.db\"}")).desired.digest == first
    assert resolved(BASE.replace("w.db", "v.db")).desired.digest != first
    assert resolved(BASE, API).desired.digest != first
