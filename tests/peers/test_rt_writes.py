"""Writing tickets to Request Tracker: creations found by a search, updates behind an ETag."""

from __future__ import annotations

from syncline.model.secret import Secret
from syncline.sdk.destination import Sent, Written
from syncline.sdk.http import Request
from syncline.sdk.source import Credentials
from tests.peers.writing import Between, Stream

CONNECTOR = """
streams:
  items:
    get: /tickets
    write:
      id: body.id
      create:
        post: /ticket
        body: {Queue: General, Requestor: "{{ record.mail }}", Subject: "{{ record.subject }}", Content: made by a test}
      update:
        put: "/ticket/{{ id }}"
        headers: {If-Match: "{{ version }}"}
        body: {Subject: "{{ record.subject }}"}
      read: {get: "/ticket/{{ id }}", version: headers.etag, record: "{subject: body.Subject}"}
      find: {get: /tickets, query: {query: "Requestor.EmailAddress = '{{ record.mail }}'"}, id: "body.items[].id"}
"""


def stream(rt) -> Stream:
    credentials = Credentials("basic", {"username": rt.user}, {"password": Secret(rt.password)})
    return Stream(CONNECTOR, rt.url, {"mail": "string", "subject": "string"}, credentials)


def subjects(rt, mail: str) -> list[str]:
    found = rt.ask("GET", f"/tickets?query=Requestor.EmailAddress%20=%20'{mail}'&fields=Subject").ok()["items"]
    return [row["Subject"] for row in found]


def test_tickets_are_created_and_changed(request_tracker):
    """A ticket is created once and changed by its id; a lost answer to its creation makes no second one."""
    into = stream(request_tracker)

    assert into.upsert(("w1@example.com", "Printer"), through=Between(lose=1)).written.inserted == 1
    assert into.upsert(("w1@example.com", "Printer on fire")) == Sent(Written(0, 1))
    assert into.upsert(("w1@example.com", "Printer on fire")) == Sent(Written(0, 0, 1))
    assert subjects(request_tracker, "w1@example.com") == ["Printer on fire"]


def test_a_change_in_between_is_a_412_and_written_over(request_tracker):
    """Somebody changes the ticket after its version was read: RT says 412, the newest is read and written over."""
    into = stream(request_tracker)
    into.upsert(("w2@example.com", "Disk"))
    meddled: list[str] = []

    def meddle(request: Request) -> None:
        if request.method == "PUT" and not meddled:
            meddled.append(request.url.rpartition("/")[2])
            request_tracker.ask("PUT", f"/ticket/{meddled[0]}", {"Subject": "Theirs"}).ok()

    through = Between(meddle)

    assert into.upsert(("w2@example.com", "Disk full"), through=through) == Sent(Written(0, 1))
    assert [r.method for r in through.sent] == ["GET", "PUT", "GET", "PUT"]
    assert subjects(request_tracker, "w2@example.com") == ["Disk full"]
