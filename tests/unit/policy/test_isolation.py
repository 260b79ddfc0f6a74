"""Isolation: places of two tenants, and tables of one tenant's flows."""

from __future__ import annotations

import pytest

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.catalog import catalog
from syncline.manifests.flow import flows
from syncline.manifests.locations import Location, location_of, servers
from syncline.model.key import ObjectKey
from syncline.policy.check import Verdicts
from tests.repository import CUSTOMERS, desired, edited
from tests.unit.policy.decisions import decide, denied

SHARED = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: NAME}
spec: SPEC
"""
FILES = "{connector: file@^1, region: eu-west, config: {root: ROOT}, streams: {customers: {files: '*.csv', key: [id]}}}"
DATABASE = "connector: postgresql@^1, region: eu-west, config: {url: 'postgresql://URL', schema: SCHEMA}"


def two(root: str, path: str, mine: str = "warehouse.db") -> dict[str, str]:
    """The flow for two tenants; the second has the root and the path that are given."""
    texts = {f"acme-{name}": text.replace("warehouse.db", mine) for name, text in CUSTOMERS.items()}
    for name, text in CUSTOMERS.items():
        own = text.replace("acme", "globex").replace("root: data", f"root: {root}")
        texts[f"globex-{name}"] = own.replace("path: warehouse.db", f"path: {path}")
    return texts


@pytest.mark.parametrize(
    ("root", "place", "subjects"),
    [
        ("globex", "globex.db", []),
        ("data-of-globex", "warehouse.db2", []),
        ("data", "globex.db", ["crm"]),
        ("./data/", "globex.db", ["crm"]),
        ("x/../data", "globex.db", ["crm"]),
        ("DATA", "globex.db", ["crm"]),
        ("data/globex", "globex.db", ["crm"]),
        ("globex", "warehouse.db", ["warehouse"]),
        ("globex", "./a/../warehouse.db", ["warehouse"]),
    ],
)
def test_tenants_do_not_share_files(root: str, place: str, subjects: list[str]) -> None:
    """Equal or nested roots and equal databases are denied to both tenants, however they are written."""
    found = [r for r in decide(two(root, place)) if not r.allowed]

    assert [(r.rule, r.object) for r in found] == [
        ("isolation", f"{tenant}/Integration/{name}") for tenant in ("acme", "globex") for name in subjects
    ]


def test_a_database_is_not_read_as_a_file() -> None:
    """A root around another tenant's database is a way to read it: each is told its own line, and nothing of the other."""
    found = [r.diagnostic for r in decide(two("data-2", "globex.db", "lake/acme.db")) if not r.allowed]
    around = [r.diagnostic for r in decide(two("lake", "globex.db", "lake/acme.db")) if not r.allowed]

    assert found == []
    assert [d and d.message for d in around] == [
        "acme/Integration/warehouse (lake/acme.db) is inside what another tenant has",
        "globex/Integration/crm (lake) is around what another tenant has",
    ]
    assert [str(d.place) for d in around if d] == ["acme-files.yaml:13:62", "globex-files.yaml:7:18"]
    assert all("globex" not in repr(d) for d in around if d and d.subject.startswith("acme/"))


@pytest.mark.parametrize(
    ("url", "schema", "shared"),
    [
        ("db.example.com/lake?sslmode=require", "crm", True),
        ("DB.example.com:5432/lake?sslmode=verify-full", "crm", True),
        ("db.example.com/lake?sslmode=require", "hr", False),
        ("db.example.com/other?sslmode=require", "crm", False),
        ("db.example.com:5433/lake?sslmode=require", "crm", False),
        ("db2.example.com/lake?sslmode=require", "crm", False),
    ],
)
def test_tenants_do_not_share_schemas(url: str, schema: str, shared: bool) -> None:
    """Server, database and schema together are a place."""
    texts = two("globex", "x.db")
    sqlite = "connector: sqlite@^1, region: eu-west, config: {path: PATH}"
    for tenant, path, where, name in (
        ("acme", "warehouse.db", "db.example.com/lake?sslmode=require", "crm"),
        ("globex", "x.db", url, schema),
    ):
        database = DATABASE.replace("URL", where).replace("SCHEMA", name)
        texts = edited(f"{tenant}-files.yaml", sqlite.replace("PATH", path), database, texts)

    assert denied(texts) == ["isolation"] * (2 if shared else 0)


@pytest.mark.parametrize("url", ["localhost/x", "127.0.0.1:5432/x", "/x", "[::1]/x", "%2Frun%2Fpostgresql/x"])
def test_this_machine_has_many_names(url: str) -> None:
    """Databases of this machine are one place however it is called."""
    first = location("postgresql:///x?host=/run/postgresql")

    assert location(f"postgresql://{url}").steps == first.steps
    assert servers("postgresql://u@a:1,B:2/x") == (("a", "1"), ("b", "2"))
    assert servers("postgresql://h/x?host=a,b&port=7") == (("a", "7"), ("b", "7"))


def test_databases_of_mariadb_are_places() -> None:
    """A database of MariaDB is one place by whatever name and port it is reached, and another one than its neighbours."""
    first = location("mariadb://localhost:3306/lake", "mariadb")

    assert first.steps == location("mariadb://127.0.0.1/lake", "mariadb").steps
    assert first.steps != location("mariadb://localhost/other", "mariadb").steps
    assert first.steps != location("mariadb://db.example.com/lake", "mariadb").steps


def location(url: str, name: str = "postgresql") -> Location:
    """The location of a database."""
    spec = IntegrationSpec.model_validate({"connector": name, "config": {"url": url}})
    connector = catalog()[ObjectKey("", "Connector", f"{name}@1.0.0")].spec
    assert isinstance(connector, ConnectorSpec)
    found = location_of(spec, connector)
    assert found is not None
    return found


def shared(kind: str) -> dict[str, str]:
    """Two tenants whose flows read from, or write to, a shared integration."""
    texts = two("globex", "globex.db")
    if kind == "read":
        texts["shared.yaml"] = SHARED.replace("NAME", "pool").replace("SPEC", FILES.replace("ROOT", "pool"))
        before, after = "from: crm/", "from: pool/"
    else:
        spec = "{connector: sqlite@^1, region: eu-west, config: {path: pool.db}}"
        texts["shared.yaml"] = SHARED.replace("NAME", "pool").replace("SPEC", spec)
        before, after = "to: warehouse/", "to: pool/"
    for tenant in ("acme", "globex"):
        texts = edited(f"{tenant}-import.yaml", before, after, texts)
    return texts


def test_a_shared_integration_is_for_reading() -> None:
    """Every tenant may read a shared integration; two that write to it are denied, and so is reading what one writes."""
    writing = decide(shared("write"))
    alone = edited("globex-import.yaml", "to: pool/", "to: warehouse/", shared("write"))

    assert denied(shared("read")) == []
    assert [r.object for r in writing if not r.allowed] == ["acme/Import/customers", "globex/Import/customers"]
    assert denied(alone) == []
    mixed = edited(
        "acme-import.yaml", "to: warehouse/customers, write: upsert", "to: pool/out, write: append", shared("read")
    )
    assert denied(mixed) == ["isolation"] * 2  # acme where it writes, globex where it reads


def test_a_tenants_root_in_a_shared_one_is_found() -> None:
    """A shared integration that a tenant uses is a place of that tenant."""
    found = decide(edited("shared.yaml", "root: pool", "root: .", shared("read")))

    assert {r.rule for r in found if not r.allowed} == {"isolation"}


def flow(name: str, manner: str, table: str = "customers") -> str:
    """Another import of acme."""
    text = CUSTOMERS["import.yaml"].replace("name: customers", f"name: {name}").replace("write: upsert", manner)
    return text.replace("to: warehouse/customers", f"to: warehouse/{table}")


@pytest.mark.parametrize(
    ("first", "second", "table", "rules"),
    [
        ("write: upsert", "write: upsert", "customers", []),
        ("write: append", "write: append", "customers", []),
        ("write: upsert, key: [id, name]", "write: upsert, key: [name, id]", "customers", []),
        ("write: replace", "write: replace", "other", []),
        ("write: replace", "write: replace", "customers", ["tables", "tables"]),
        ("write: replace", "write: append", "customers", ["tables", "tables"]),
        ("write: append", "write: upsert", "Customers", ["tables", "tables"]),
        ("write: upsert", "write: upsert, key: [name]", "customers", ["tables", "tables"]),
    ],
)
def test_flows_write_one_table_in_one_way(first: str, second: str, table: str, rules: list[str]) -> None:
    """Two flows may append, or upsert by one key; a replacement suffers no second flow, nor does another mode or key."""
    texts = edited("import.yaml", "write: upsert", first)

    assert denied({**texts, "second.yaml": flow("second", second, table)}) == rules


@pytest.mark.parametrize(("absent", "rules"), [("keep", []), ("delete", ["tables", "tables"])])
def test_a_flow_that_deletes_what_is_absent_has_its_table_alone(absent: str, rules: list[str]) -> None:
    """What another flow writes is absent from its read, so that it would take that away."""
    sync = flow("second", "read: full, write: upsert").replace("kind: Import", "kind: Sync")
    text = sync.replace("read: full", f"read: full, absent: {absent}, guards: {{maxDeletes: 5%}}")

    assert denied({**CUSTOMERS, "second.yaml": text}) == rules
    assert denied({**CUSTOMERS, "second.yaml": text.replace("to: warehouse/customers", "to: warehouse/other")}) == []


def test_one_table_under_two_integrations_is_one_table() -> None:
    """It counts where the table is, not by which integration it is reached."""
    second = CUSTOMERS["files.yaml"].split("---\n")[1].replace("name: warehouse", "name: again").replace(": w", ": ./w")
    texts = {
        **CUSTOMERS,
        "again.yaml": second,
        "second.yaml": flow("second", "write: append").replace("warehouse/", "again/"),
    }

    assert denied(texts) == ["tables", "tables"]


def test_what_concerns_a_flow() -> None:
    """Verdicts about a flow are those about everything that it runs with, and policies; not another tenant's."""
    policy = "apiVersion: syncline/v1\nkind: Policy\nmetadata: {name: NAME}\nspec:\n  rules:\n"
    rules = "  - {name: any, on: manifest, deny: 'true', message: No.}\n  - {name: bad, on: flow, deny: '(', message: No.}\n"
    texts = {**two("globex", "globex.db"), "policy.yaml": policy.replace("NAME", "office") + rules}
    texts["own.yaml"] = policy.replace("NAME", "own, tenant: globex") + rules
    results = decide(texts)
    (mine,) = [f for f in flows(desired(texts)) if f.key.tenant == "acme"]
    found = {r.object for r in Verdicts(results).of_flow(mine)}

    assert found == {
        "Policy/office",
        "Tenant/acme",
        "acme/Import/customers",
        "acme/Integration/crm",
        "acme/Integration/warehouse",
        "acme/Mapping/customer",
    }
    assert found < {r.object for r in results}
