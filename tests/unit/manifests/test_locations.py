"""Whether two flows write to one table, through whichever integrations."""

from __future__ import annotations

import pytest

from syncline.manifests.flow import flows
from syncline.manifests.locations import one_table
from tests.repository import CUSTOMERS, desired, edited

SQLITE = "connector: sqlite@^1, region: eu-west, config: {path: warehouse.db}"


def both(first: str, second: str, stream: str = "customers") -> bool:
    """Whether the flow of customers and one through another integration write to one table."""
    texts = edited("files.yaml", SQLITE, f"connector: {first}", CUSTOMERS)
    texts["lake.yaml"] = (
        "apiVersion: syncline/v1\nkind: Integration\nmetadata: {name: lake, tenant: acme}\n"
        f"spec: {{connector: {second}}}\n"
    )
    text = texts["import.yaml"].replace("name: customers, tenant", "name: other, tenant")
    texts["other.yaml"] = text.replace("to: warehouse/customers", f"to: lake/{stream}")
    one, other = flows(desired(texts))
    assert one.target.integration.key != other.target.integration.key
    return one_table(one, other)


def postgresql(url: str, more: str = "") -> str:
    """An integration of PostgreSQL."""
    return f"postgresql@^1, region: eu-west, config: {{url: 'postgresql://{url}'{more}}}"


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        ("db.example.com/lake", "DB.example.com:5432/lake?application_name=x", True),
        ("localhost/lake", "127.0.0.1/lake", True),
        ("a.example.com,b.example.com/lake", "b.example.com/lake", True),
        ("/lake?host=a.example.com,b.example.com", "c.example.com,b.example.com/lake", True),
        ("a.example.com,b.example.com/lake", "c.example.com/lake", False),
        ("db.example.com/lake", "db.example.com:5433/lake", False),
        ("db.example.com/lake", "db.example.com/pond", False),
    ],
)
def test_one_database_is_one_place_through_two_integrations(first: str, second: str, one: bool) -> None:
    """Host, port and database decide, one host of several is enough, and what else a URL says doesn't matter."""
    assert both(postgresql(first), postgresql(second)) is one
    assert both(postgresql(second), postgresql(first)) is one


def test_schemas_and_streams_are_apart() -> None:
    """In one database, another schema or another name is another table; a name in other case may be the same."""
    url = "db.example.com/lake"

    assert both(postgresql(url), postgresql(url, ", schema: public"))
    assert not both(postgresql(url), postgresql(url, ", schema: crm"))
    assert not both(postgresql(url), postgresql(url), "orders")
    assert both(postgresql(url), postgresql(url), "Customers")


def test_kinds_of_databases_are_apart() -> None:
    """A file and a server are never one place, nor are two servers of different kinds."""
    assert not both("sqlite@^1, region: eu-west, config: {path: lake}", postgresql("localhost/lake"))
    mariadb = "mariadb@^1, region: eu-west, config: {url: 'mariadb://localhost:5432/lake'}"
    assert not both(mariadb, postgresql("localhost:5432/lake"))
