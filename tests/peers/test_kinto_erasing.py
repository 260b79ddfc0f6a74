"""A person in Kinto: found by a filter, page after page, and deleted; or deleted by requests with the filter, as often as it takes."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from syncline.connectors.rest.subjects import RestSubjects
from syncline.model.secret import Secret
from syncline.sdk.source import Credentials
from syncline.sdk.subject_requests import Acknowledged, Person
from tests.peers.writing import Between
from tests.rest_streams import instance

if TYPE_CHECKING:
    from collections.abc import Iterator

BY_ID = """
streams:
  items:
    get: RECORDS
    erase:
      find: {get: RECORDS, query: {email: "{{ record.email }}"}, id: "body.data[].id", record: body.data}
      delete: {delete: "RECORDS/{{ id }}"}
"""
AT_ONCE = """
streams:
  items:
    get: RECORDS
    erase:
      find: {get: RECORDS, query: {email: "{{ record.email }}"}, id: "body.data[].id"}
      delete: {delete: RECORDS, query: {email: "{{ record.email }}"}}
"""
ADA = Person("email", "ada+news@example.com")


@contextmanager
def asked(kinto, name: str, connector: str) -> Iterator[tuple[RestSubjects, str]]:
    """A collection with five records of Ada and two of others."""
    records = kinto.collection("erasing", name)
    for number in range(5):
        kinto.put(records, f"a{number}", email=ADA.value)
    kinto.put(records, "b", email="ada@example.com")
    kinto.put(records, "c", email="bob@example.com")
    credentials = Credentials("basic", {"username": kinto.user}, {"password": Secret(kinto.password)})
    made = instance(connector.replace("RECORDS", records), url=kinto.url, credentials=credentials)
    with closing(RestSubjects(made, transport=Between())) as subjects:
        yield subjects, records


def left(kinto, records: str) -> set[str]:
    return {one["id"] for one in kinto.ask("GET", f"{records}?_limit=100").ok()["data"]}


def test_what_is_found_is_deleted_over_all_pages(kinto):
    """A page holds three records, so that it is asked again until none is left; nobody else's go."""
    with asked(kinto, "by-id", BY_ID) as (subjects, records):
        assert {one["email"] for one in subjects.find("items", ADA)} == {ADA.value}
        assert subjects.erase("items", ADA) == Acknowledged(5, 0, "DELETE: 200, 5 times")
        assert left(kinto, records) == {"b", "c"}
        assert subjects.erase("items", ADA) == Acknowledged()


def test_a_delete_by_the_field_is_sent_while_any_is_found(kinto):
    """Kinto deletes a page of what fits at a time: what is found again is deleted again, and all of it counts."""
    with asked(kinto, "at-once", AT_ONCE) as (subjects, records):
        assert subjects.unable("items", ADA) == ""
        assert subjects.erase("items", ADA) == Acknowledged(5, 0, "DELETE: 200, 2 times")
        assert left(kinto, records) == {"b", "c"}


def test_a_delete_that_nothing_finds_is_only_asked(kinto):
    """Without a request that finds, nobody can tell whether it left some; Kinto does, and so it doesn't count as done."""
    blind = "\n".join(line for line in AT_ONCE.splitlines() if "find:" not in line)
    with asked(kinto, "blind", blind) as (subjects, records):
        assert subjects.erase("items", ADA) == Acknowledged(1, 0, "DELETE: 200", later=True)
        assert len(left(kinto, records)) > 2
