"""A person in APIs: asked to find and to delete, at destinations and sources; acknowledged, refused, killed and gone on."""

from __future__ import annotations

import json
import signal
import sys

import pytest

from syncline import privacy, workflow
from syncline.executor.progress import Silent
from syncline.model.subject import Subject
from tests import warm
from tests.api_server import api_server
from tests.e2e import house, writing
from tests.e2e.subjects import ADA, MAPPING
from tests.writing_api import Contacts

DATA = """\
id,name,email,balance,born
1,Ada,Ada@example.com,1.00,1990-01-01
2,Bob,bob@example.com,2.00,1991-01-01
3,Ada again,ada@example.com,3.00,1990-01-01
"""
FIND = """
        find: {get: /contacts, query: {email: "{{ record.email }}"}, id: "body.items[].ref", record: body.items}
        delete: {delete: "/contacts/{{ id }}"}
"""
REQUEST = """
        request: {post: /erasures, headers: {Idempotency-Key: "{{ idempotency_key }}"}, id: body.ref}
"""


def lived_in(root, url, erase=FIND, *, way="keys", mapping=MAPPING):
    """A house that wrote its three customers to an API which erases people by these requests."""
    texts = writing.repository(url, way) | {"mapping.yaml": mapping}
    if erase:
        declared = f"      erase:{erase.rstrip()}\n      schema:"
        texts["connector.yaml"] = texts["connector.yaml"].replace("      schema:", declared)
    settings = house.build(root, texts)
    (root / "data").mkdir()
    (root / "data" / "customers.csv").write_text(DATA)
    workflow.apply(settings)
    workflow.run(settings, house.FLOW, progress=Silent())
    return settings


def states(done):
    return [(p.key.kind, p.state, p.rows, p.message) for p in done.places]


def test_an_api_deletes_what_it_finds(tmp_path):
    """Records are found by the person's field and deleted by their ids; what was answered is on the certificate."""
    api = Contacts(unique="id")
    with api_server(api.handle) as server:
        settings = lived_in(tmp_path, server.url)
        (held,) = privacy.export(settings, "acme", ADA)
        assert ([row["id"] for row in held.rows], held.problem) == ([1, 3], "")
        done = privacy.erase(settings, "acme", ADA, lambda _: None)
        assert states(done) == [("Sync", "erased", 2, "DELETE: 204, 2 times")]
        assert [record["id"] for record in api.of("contacts")] == [2]
        certificate = privacy.verify(privacy.certificate(settings, done.id), privacy.certificate_key(settings))
        assert certificate["places"][0]["message"] == "DELETE: 204, 2 times"
        assert workflow.run(settings, house.FLOW, progress=Silent()).receipt.counts.suppressed == 2
        privacy.lift(settings, done.id, "Eva", "came back")
        workflow.run(settings, house.FLOW, progress=Silent())
        assert sorted(record["id"] for record in api.of("contacts")) == [1, 2, 3]


def test_an_api_is_asked_to_erase_by_itself(tmp_path):
    """Its acknowledgement, by the name that it gave the request, is on the certificate, which names nobody."""
    api = Contacts(unique="id", keys=True)
    with api_server(api.handle) as server:
        settings = lived_in(tmp_path, server.url, FIND + REQUEST)
        done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert states(done) == [("Sync", "asked", 2, "DELETE: 204, 2 times; POST to erase by itself: 201, as '4'")]
    assert done.complete
    assert api.of("erasures") == [{"email": "ada@example.com"}]
    assert "ada@" not in privacy.certificate(settings, done.id).decode().lower()


def test_what_an_api_calls_a_request_is_left_out_where_it_names_the_person(tmp_path):
    """Also as a URL spells them, and in another case."""

    class Naming(Contacts):
        def answer(self, method, path, query, headers, body):
            status, said, more = super().answer(method, path, query, headers, body)
            return status, {"ref": "REQ-ADA%40EXAMPLE.COM"} if path == "/erasures" else said, more

    api = Naming(unique="id", keys=True)
    with api_server(api.handle) as server:
        settings = lived_in(tmp_path, server.url, FIND + REQUEST)
        done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert states(done) == [("Sync", "asked", 2, "DELETE: 204, 2 times; POST to erase by itself: 201")]


KILLED = """
import os, signal, sys
from pathlib import Path
from syncline import privacy
from syncline.connectors.rest.subjects import RestSubjects
from tests.e2e import house
from tests.e2e.subjects import ADA

real, left = RestSubjects._ask, int(sys.argv[2])

def asked(*args):
    global left
    found, left = real(*args), left - 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return found

RestSubjects._ask = asked
privacy.erase(house.settings_of(Path(sys.argv[1])), "acme", ADA, lambda _: None)
"""


@pytest.mark.parametrize("after", [1, 2, 3, 4, 5, 6])
def test_killed_after_any_answer_it_is_gone_on_with(tmp_path, after):
    """Killed after any of the API's answers, the same request deletes the rest, asks once, and knows what was found."""
    api = Contacts(unique="id", keys=True)
    with api_server(api.handle) as server:
        settings = lived_in(tmp_path, server.url, FIND + REQUEST)
        child = warm.run([sys.executable, "-c", KILLED, str(tmp_path), str(after)], check=False, timeout=120)
        assert child.returncode == -signal.SIGKILL
        done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert [(p.state, p.rows) for p in done.places] == [("asked", 2)]
    assert [record["id"] for record in api.of("contacts")] == [2]
    assert len(api.of("erasures")) == 1
    assert privacy.listed(settings, "acme", 5) == (done,)


def test_a_refusal_is_told_without_the_name(tmp_path):
    """What the API refuses stays open, and neither its words nor a URL bring the person's name into evidence."""
    api = Contacts(unique="id")
    with api_server(api.handle) as server:
        by_name = FIND.replace("{get: /contacts, query: {email", "{get: '/erasures/{{ record.email }}/x', query: {e")
        settings = lived_in(tmp_path, server.url, by_name.replace("get:", "post:"))
        done = privacy.erase(settings, "acme", ADA, lambda _: None)
        assert [p.state for p in done.places] == ["erased"]  # a 404 of a search finds nobody
    done = privacy.erase(settings, "acme", Subject("customer", "bob@example.com"), lambda _: None)
    (place,) = done.places
    assert (place.state, "bob" in place.message, "%40" in place.message) == ("failed", False, False)
    assert not any("bob@" in json.dumps(e) or "bob%40" in json.dumps(e) for e in house.audit_events(settings))


def test_an_api_that_finds_nobody_by_the_field_is_left_open(tmp_path):
    """Requests that need more than the person's field can't be sent; the certificate says so, and why."""
    with api_server(Contacts(unique="id").handle) as server:
        settings = lived_in(tmp_path, server.url, FIND.replace("record.email", "record.id"))
        done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert [(p.state, p.rows) for p in done.places] == [("open", 0)]
    assert "need more of a record of stream 'contacts' than email" in done.places[0].message


def test_the_delete_of_a_sync_erases_by_key(tmp_path):
    """Where the person is told by the key, `write.delete` is enough, and nothing else need be declared."""
    api = Contacts(unique="id")
    mapping = MAPPING.replace("subject: {customer: email}", "subject: {customer: id}")
    way = writing.WAYS["put"] + '        delete: {delete: "/contacts/{{ record.id }}"}\n'
    writing.WAYS["put-delete"] = way
    try:
        with api_server(api.handle) as server:
            settings = lived_in(tmp_path, server.url, "", way="put-delete", mapping=mapping)
            done = privacy.erase(settings, "acme", Subject("customer", "2"), lambda _: None)
    finally:
        del writing.WAYS["put-delete"]
    assert states(done) == [("Sync", "erased", 1, "DELETE: 204")]
    assert sorted(record["id"] for record in api.of("contacts")) == [1, 3]


SOURCE = """\
apiVersion: syncline/v1
kind: Sync
metadata: {name: back, tenant: acme}
spec: {from: sales/contacts, mapping: customer, to: warehouse/contacts, read: full, write: upsert}
"""


def test_a_source_is_asked_as_well(tmp_path):
    """A source that declares it is asked to erase the person, as itself; held where a flow that reads it is held."""
    api = Contacts(unique="id")
    with api_server(api.handle) as server:
        settings = lived_in(tmp_path, server.url, FIND)
        warehouse = next(text for text in house.Scenario("upsert").texts.values() if "name: warehouse" in text)
        only = "---\n".join(part for part in warehouse.split("---\n") if "name: warehouse" in part)
        (tmp_path / "back.yaml").write_text(only + "---\n" + SOURCE)
        hold = "{flows: [Sync/back], reason: case 7, owner: legal}"
        tenant = (tmp_path / "tenant.yaml").read_text()
        (tmp_path / "tenant.yaml").write_text(tenant.replace("spec: {", f"spec: {{holds: [{hold}], "))
        workflow.apply(settings)
        found = privacy.expect(settings, "acme", Subject("customer", "bob@example.com"))
        assert {str(p.key): p.state for p in found.places}["acme/Integration/sales.contacts"] == "held"
        (tmp_path / "tenant.yaml").write_text(tenant)
        workflow.apply(settings)
        done = privacy.erase(settings, "acme", Subject("customer", "bob@example.com"), lambda _: None)
    assert {str(p.key): (p.to, p.state, p.rows, p.message) for p in done.places} == {
        "acme/Integration/sales.contacts": ("sales/contacts", "erased", 1, "DELETE: 204"),
        "acme/Sync/back": ("warehouse/contacts", "erased", 0, ""),
        "acme/Sync/customers": ("sales/contacts", "erased", 0, ""),
    }
    assert sorted(record["id"] for record in api.of("contacts")) == [1, 3]


@pytest.mark.parametrize(
    ("erase", "code"),
    [
        ('\n        find: {get: /contacts, id: "body.items[].ref"}\n', "SYN202"),
        ("\n        delete: {delete: /c, batch: {size: 2}}\n", "SYN205"),
        ("\n        delete: {delete: /c, get: /c}\n", "SYN211"),
        ('\n        request: {post: "/c/{{ record.email "}\n', "SYN430"),
        ("\n        request: {post: /c, id: 'body['}\n", "SYN253"),
    ],
)
def test_validate_knows_what_erases(tmp_path, erase, code):
    """What can't work is an error at its line before anybody needs it."""
    texts = writing.repository("http://127.0.0.1:9", "keys") | {"mapping.yaml": MAPPING}
    declared = f"      erase:{erase.rstrip()}\n      schema:"
    texts["connector.yaml"] = texts["connector.yaml"].replace("      schema:", declared)
    found = [d.code for d in workflow.validate(house.build(tmp_path, texts)).diagnostics]
    assert code in found, found
