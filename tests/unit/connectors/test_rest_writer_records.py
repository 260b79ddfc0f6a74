"""Which records of an API a writer's rows are: by ids, versions and numbers of records of one key; and deletes."""

from __future__ import annotations

import json
import time

import pytest

from syncline.model.errors import Again, Invalid
from syncline.model.schema import Schema
from syncline.sdk.destination import Sent, Written
from syncline.sdk.http import Request, Response, TransportError
from syncline.sdk.ledger import Known, MemoryLedger
from tests.rest_streams import answer
from tests.unit.connectors.writers import ADA, BLIND, BOB, KEYED, SCHEMA, SEARCH, frame, opened
from tests.writing_api import Contacts


class TestIds:
    def test_a_later_run_updates(self):
        """The id of a creation is kept: what changes is updated, what is gone at the API is created anew."""
        api, ledger = Contacts(), MemoryLedger()
        opened(KEYED, api, ledger=ledger).write(frame(ADA, BOB), "1")
        assert opened(KEYED, api, ledger=ledger).write(frame((ADA[0], "Ada L."), BOB), "2") == Written(0, 1, 1)
        api.records["contacts"].pop("1")
        assert opened(KEYED, api, ledger=ledger).write(frame((ADA[0], "Lady L.")), "3") == Written(1)
        assert {r["email"]: r["name"] for r in api.of("contacts")} == {BOB[0]: "Bob", ADA[0]: "Lady L."}

    def test_two_records_of_one_key_are_a_reject(self):
        """Where a search finds several, it can't be told which is meant."""
        api = Contacts(unique="")
        for _ in range(2):
            api._put("contacts", str(len(api.of("contacts"))), {"email": ADA[0], "name": "x"})
        sent = opened(SEARCH, api).send(frame(ADA, BOB))
        assert (sent.written, [r.row for r in sent.refused]) == (Written(1), [0])
        assert "2 records have this key" in sent.refused[0].message

    def test_what_is_there_is_adopted(self):
        """A record that others made is updated, not created; one with the same values isn't even sent."""
        api = Contacts()
        api._put("contacts", "7", {"email": ADA[0], "name": "somebody"})
        api._put("contacts", "8", {"email": BOB[0], "name": "Bob", "more": 1})
        ledger = MemoryLedger()
        assert opened(SEARCH, api, ledger=ledger).write(frame(ADA, BOB), "1") == Written(0, 1, 1)
        assert {known.id for known in ledger.records.values()} == {"7", "8"}

    def test_other_settings_are_another_place(self):
        """Ids belong to the URL and settings that they came from."""
        api, ledger = Contacts(unique=""), MemoryLedger()
        opened(BLIND, api, ledger=ledger).write(frame(ADA), "1")
        assert {place.split()[0] for place, _ in ledger.records} == {"contacts"}
        assert ADA[0] not in repr(ledger.records)

    def test_an_unknown_creation_keeps_its_idempotency_key(self):
        """Whoever comes after a stopped run, and with which values ever, sends the key of the first attempt."""
        api, ledger = Contacts(lose=frozenset({1})), MemoryLedger()
        with pytest.raises(Again):
            opened(KEYED, api, ledger=ledger, http="retry: {attempts: 1}").send(frame(ADA))
        ledger.marks["acme/Sync/contacts"] = type(ledger.marks["acme/Sync/contacts"])("e", "another checkpoint")

        assert opened(KEYED, api, ledger=ledger).write(frame((ADA[0], "Ada L.")), "2").inserted == 1
        assert api.of("contacts") == [{"email": ADA[0], "name": "Ada L."}]


class TestVersions:
    def changed(self, conflicts: str) -> tuple[Contacts, Sent]:
        """Our version is old: somebody else has written since."""
        api, ledger = Contacts(), MemoryLedger()
        write = KEYED + f"conflicts: {conflicts}\n"
        opened(write, api, ledger=ledger).write(frame(ADA), "1")
        api._put("contacts", "1", {"email": ADA[0], "name": "theirs"})
        return api, opened(write, api, ledger=ledger).send(frame((ADA[0], "ours")))

    def test_retry_writes_over_the_newest(self):
        """A stale version is read again and written over, as the source wins."""
        api, sent = self.changed("retry")
        assert (sent, api.of("contacts")[0]["name"]) == (Sent(Written(0, 1)), "ours")

    def test_reject_leaves_theirs(self):
        """A record that others changed becomes a reject that says so."""
        api, sent = self.changed("reject")
        assert api.of("contacts")[0]["name"] == "theirs"
        assert "it was changed by others since it was last written" in sent.refused[0].message

    @pytest.mark.parametrize("conflicts", ["retry", "reject"])
    def test_our_own_earlier_attempt_is_no_conflict(self, conflicts):
        """An update whose answer was lost is seen, when its repetition meets the version that it made itself."""
        api, ledger = Contacts(keys=False), MemoryLedger()
        write = KEYED + f"conflicts: {conflicts}\n"
        opened(write, api, ledger=ledger).write(frame(ADA), "1")
        api.lose = frozenset({2})
        assert opened(write, api, ledger=ledger).send(frame((ADA[0], "ours"))) == Sent(Written(0, 1))
        assert api.versions["1"] == 2

    def test_a_version_that_never_holds_still(self):
        """An update that meets a newer version each time ends as a reject, after a few attempts."""

        def api(request: Request) -> Response:
            return answer({"name": "x"}, 412 if request.method == "PATCH" else 200, etag='"9"')

        ledger = MemoryLedger()
        writer = opened(KEYED, api, ledger=ledger)
        row = next(iter(writer._columns.rows(frame(ADA), SCHEMA.key)))
        ledger.records[writer._place, row.key] = Known("1", '"1"', "old")
        assert "status 412" in writer.send(frame(ADA)).refused[0].message


class TestAppends:
    def test_equal_rows_are_two_records(self):
        """Rows without a key that are equal are two effects, with two idempotency keys; again after a checkpoint, too."""
        api = Contacts(unique="")
        schema = Schema(SCHEMA.fields)
        writer = opened(KEYED, api, mode="append", schema=schema)
        assert writer.write(frame(ADA, ADA), "1") == Written(2)
        assert writer.write(frame(ADA), "2") == Written(1)
        assert (len(api.of("contacts")), len(api.seen)) == (3, 3)

    def test_effects_of_one_record_keep_their_order(self):
        """Rows of one key are sent one after another, however many requests may be under way."""
        order: dict[str, list[str]] = {}

        def api(request: Request) -> Response:
            sent = json.loads(request.body)
            time.sleep(0.02 if sent["name"] == "0" else 0)
            order.setdefault(sent["email"], []).append(sent["name"])
            return answer({"ref": 1}, 201)

        rows = [(key, str(n)) for n in range(5) for key in (ADA[0], BOB[0])]
        assert opened(KEYED + "concurrency: 8\n", api, mode="append").send(frame(*rows)) == Sent(Written(10))
        assert order == {key: ["0", "1", "2", "3", "4"] for key in (ADA[0], BOB[0])}

    @pytest.mark.parametrize("lost", [1, 2, 3])
    def test_records_of_one_key_are_counted(self, lost: int):
        """Where answers are lost, a search tells by their number which of several records of one key are there."""
        api = Contacts(unique="", lose=frozenset({lost}))
        rows = frame(ADA, (ADA[0], "Ada L."), ADA)
        assert opened(SEARCH, api, mode="append").write(rows, "1") == Written(3)
        assert [r["name"] for r in api.of("contacts")] == ["Ada", "Ada L.", "Ada"]

    @pytest.mark.parametrize("done", [1, 2, 3])
    def test_records_of_one_key_are_counted_after_a_stop(self, done: int):
        """What a run that was killed created and couldn't note is neither created again nor left out."""
        api, ledger, rows = Contacts(unique=""), MemoryLedger(), frame(ADA, (ADA[0], "Ada L."), ADA)
        stopped = opened(SEARCH, api, mode="append", ledger=ledger)
        stopped._begun({})  # as a process leaves it that is killed before it notes what became of its requests
        for name in ("Ada", "Ada L.", "Ada")[:done]:
            body = json.dumps({"email": ADA[0], "name": name}).encode()
            api(Request("POST", "https://api.example.com/contacts", body=body))
        assert opened(SEARCH, api, mode="append", ledger=ledger).write(rows, "1") == Written(3)
        assert [r["name"] for r in api.of("contacts")] == ["Ada", "Ada L.", "Ada"]

    def test_a_batch_that_was_cut_short_is_completed(self):
        """What was appended before an error isn't appended again, though the API knows no keys."""
        api, ledger = Contacts(unique=""), MemoryLedger()

        def dying(request: Request) -> Response:
            if len(api.asked) == 2:
                raise TransportError("connection failed", "connection")
            return api(request)

        with pytest.raises(Again):
            opened(BLIND, dying, mode="append", ledger=ledger).send(frame(ADA, BOB, ADA))
        assert opened(BLIND, api, mode="append", ledger=ledger).write(frame(ADA, BOB, ADA), "1") == Written(3)
        assert [r["name"] for r in api.of("contacts")] == ["Ada", "Bob", "Ada"]


class TestDeletes:
    WRITE = KEYED + "delete: {delete: '/contacts/{{ id }}'}\n"

    def test_records_go_once(self):
        """A deleted record is gone and forgotten; deleting it again, or what was never there, changes nothing."""
        api, ledger = Contacts(), MemoryLedger()
        writer = opened(self.WRITE, api, ledger=ledger)
        writer.write(frame(ADA, BOB), "1")
        assert writer.delete(frame(ADA)) == Sent(Written(0, 1))
        assert [r["email"] for r in api.of("contacts")] == [BOB[0]]
        assert len(ledger.records) == 1

    def test_without_an_id_nothing_is_asked(self):
        """Of a record that was never written no path is known: one without an id could be that of all records."""
        api = Contacts()
        assert opened(self.WRITE, api).delete(frame(ADA)) == Sent(Written(0, unchanged=1))
        assert api.asked == []

    def test_without_a_request(self):
        """A stream that declares none is Invalid."""
        with pytest.raises(Invalid):
            opened(KEYED, lambda _: answer({})).delete(frame(ADA))

    @pytest.mark.parametrize("noted", [True, False])
    def test_a_delete_of_a_stopped_run_counts_once(self, noted):
        """Done and noted, or done and not: the next attempt counts it as deleted, and the record is forgotten."""
        api, ledger = Contacts(), MemoryLedger()
        opened(self.WRITE, api, ledger=ledger).write(frame(ADA, BOB), "1")
        kept = dict(ledger.records)
        stopped = opened(self.WRITE, api, ledger=ledger)
        stopped.delete(frame(ADA))
        # As a kill between the two leaves it: what was noted is there, the record isn't forgotten yet.
        ledger.records.update(kept)
        if not noted:
            ledger.effects.clear()
        asked = len(api.asked)

        writer = opened(self.WRITE, api, ledger=ledger)
        found = writer.delete(frame(ADA, ("new@example.com", "New")))
        writer.commit("2")

        assert found == Sent(Written(0, 1, 1))
        assert len(api.asked) - asked == (0 if noted else 1)
        assert len(ledger.records) == 1
        assert opened(self.WRITE, api, ledger=ledger).write(frame(ADA), "3") == Written(1)
