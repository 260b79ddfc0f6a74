"""Provisioning users over SCIM 2 (RFC 7644): creations, uniqueness, searches, versions."""

from __future__ import annotations

from syncline.model.secret import Secret
from syncline.sdk.destination import Sent, Written
from syncline.sdk.source import Credentials
from tests.peers.writing import Between, Stream

CONNECTOR = """
http: {headers: {Content-Type: application/scim+json, Accept: application/scim+json}}
streams:
  items:
    get: /Users
    write:
      id: body.id
      version: body.meta.version
      create: &user
        post: /Users
        body:
          schemas: ["urn:ietf:params:scim:schemas:core:2.0:User"]
          userName: "{{ record.user }}"
          displayName: "{{ record.name }}"
          active: "{{ record.active }}"
      update:
        put: "/Users/{{ id }}"
        headers: {If-Match: "{{ version }}"}
        body:
          schemas: ["urn:ietf:params:scim:schemas:core:2.0:User"]
          userName: "{{ record.user }}"
          displayName: "{{ record.name }}"
          active: "{{ record.active }}"
      delete: {delete: "/Users/{{ id }}"}
      read: {get: "/Users/{{ id }}", record: "body.{user: userName, name: displayName, active: active}"}
      find:
        get: /Users
        query: {filter: 'userName eq "{{ record.user }}"'}
        id: "body.Resources[].id"
        version: "body.Resources[0].meta.version"
        record: "body.Resources[0].{user: userName, name: displayName, active: active}"
"""


def stream(scim2) -> Stream:
    credentials = Credentials("bearer", {}, {"token": Secret(scim2.token)})
    return Stream(CONNECTOR, scim2.url, {"user": "string", "name": "string", "active": "boolean"}, credentials)


def users(scim2, prefix: str) -> dict[str, tuple[str, bool]]:
    """Users by name, as long as no name is there twice."""
    found = scim2.ask("GET", f"/Users?count=100&filter=userName%20sw%20%22{prefix}%22").ok().get("Resources", [])
    assert len({u["userName"] for u in found}) == len(found)
    return {u["userName"]: (u["displayName"], u["active"]) for u in found}


def test_users_are_provisioned(scim2):
    """Users are created, left alone, changed and taken over where they are there already."""
    scim2.user("p-taken", displayName="Old")
    into = stream(scim2)

    assert into.upsert(("p-ada", "Ada", True), ("p-taken", "Taken", True)) == Sent(Written(1, 1))
    assert into.upsert(("p-ada", "Ada", True), ("p-taken", "Taken", False)) == Sent(Written(0, 1, 1))
    assert users(scim2, "p-") == {"p-ada": ("Ada", True), "p-taken": ("Taken", False)}


def test_a_lost_answer_makes_no_second_user(scim2):
    """A creation whose answer is lost is looked up by userName, and not made again."""
    through = Between(lose=1)

    assert stream(scim2).upsert(("l-ada", "Ada", True), through=through) == Sent(Written(1))
    assert [r.method for r in through.sent] == ["GET", "POST", "GET"]
    assert users(scim2, "l-") == {"l-ada": ("Ada", True)}


def test_a_change_by_others_is_written_over(scim2):
    """A version that isn't the newest is refused by the server, read again, and written over."""
    into = stream(scim2)
    into.upsert(("c-ada", "Ada", True))
    found = scim2.ask("GET", "/Users?filter=userName%20eq%20%22c-ada%22").ok()["Resources"][0]
    scim2.ask("PUT", f"/Users/{found['id']}", {**found, "displayName": "Theirs"}).ok()
    through = Between()

    assert into.upsert(("c-ada", "Ada L.", True), through=through) == Sent(Written(0, 1))
    assert [r.method for r in through.sent] == ["PUT", "GET", "PUT"]
    assert users(scim2, "c-") == {"c-ada": ("Ada L.", True)}
