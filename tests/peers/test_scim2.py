"""scim2-server: SCIM's paging by index and its filters."""

from __future__ import annotations

from tests.peers.house import Flow, house
from tests.peers.web import ask

FIELDS = (
    "to: id, from: id, required: true",
    "to: name, from: userName",
    "to: title, from: title",
    "to: updated, from: meta.lastModified, type: timestamp",
)
AUTH = "{type: bearer, token: {secretRef: {provider: env, key: SCIM_TOKEN}}}"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def test_nothing_is_read_without_the_token(scim2):
    """Users are made with the token, and nothing is read without it."""
    scim2.user("bjensen")

    assert scim2.ask("GET", "/Users?count=1").ok()["totalResults"] >= 1
    assert ask("GET", f"{scim2.url}/Users").status == 401


def test_all_users_are_read_over_pages_and_then_only_what_changed(tmp_path, scim2, warehouse):
    """Users come over pages of two, each once; a second run, filtered by SCIM, moves the one that was changed."""
    names = [f"{warehouse.schema or 'user'}-{n}" for n in range(5)]
    ids = [scim2.user(name) for name in names]
    total = scim2.ask("GET", "/Users?count=1").ok()["totalResults"]
    flow = Flow("users", FIELDS, read="incremental")
    secrets = {"SCIM_TOKEN": scim2.token}
    made = house(tmp_path, "scim", {"url": scim2.url}, flow, auth=AUTH, secrets=secrets, warehouse=warehouse)

    first = made.run("users")
    change = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": "Head"}]}
    scim2.ask("PATCH", f"/Users/{ids[1]}", change).ok()
    second = made.run("users")

    assert (first["read"], first["inserted"]) == (total, total)
    assert second["updated"] == 1
    assert second["read"] <= 2
    assert made.rows(f"SELECT name, title FROM users WHERE id = '{ids[1]}'") == [(names[1], "Head")]
    made.proved()
