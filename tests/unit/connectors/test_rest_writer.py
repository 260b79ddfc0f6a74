"""What a writer to an API sends for rows, and what it makes of each answer."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from syncline.connectors.rest.exchange import opening
from syncline.connectors.rest.exchange.told import declared_words
from syncline.connectors.rest.writing.destination import RestDestination
from syncline.connectors.rest.writing.values import same
from syncline.model.errors import Again, Bug, Invalid, Stalled, SynclineError
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.destination import Refusal, Sent, Written
from syncline.sdk.http import Request, Response, TransportError
from syncline.sdk.ledger import MemoryLedger
from tests.rest_streams import FakeClock, answer, instance
from tests.unit.connectors.writers import ADA, BLIND, BOB, KEYED, SCHEMA, SEARCH, frame, opened
from tests.writing_api import Contacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Recorder:
    """Answers what a function says, and remembers what was asked."""

    def __init__(self, reply: Callable[[Request], Response]) -> None:
        self.reply = reply
        self.sent: list[Request] = []

    def __call__(self, request: Request) -> Response:
        self.sent.append(request)
        return self.reply(request)


EVERY = {
    "string": ("x", '"x"'),
    "integer": (2**63 - 1, "9223372036854775807"),
    "decimal(38,9)": (
        Decimal("12345678901234567890123456789.123456789"),
        "12345678901234567890123456789.123456789",
    ),
    "decimal(12,9)": (Decimal("0.000000001"), "0.000000001"),
    "float": (0.1, "0.1"),
    "boolean": (True, "true"),
    "timestamp": (datetime(2024, 2, 29, 1, 2, 3, 40, UTC), '"2024-02-29T01:02:03.000040Z"'),
    "datetime": (datetime.fromisoformat("2024-02-29T01:02:03"), '"2024-02-29T01:02:03"'),
    "json": ('{"n": 1.10, "big": 12345678901234567890.10}', '{"n": 1.10, "big": 12345678901234567890.10}'),
    "binary": (b"\x00\xff", '"AP8="'),
}


class TestBodies:
    @pytest.mark.parametrize("kind", EVERY)
    def test_values_keep_every_digit(self, kind):
        """A value of each type stands in the request as JSON that says exactly the same."""
        value, expected = EVERY[kind]
        schema = Schema((Field("id", DataType("integer")), Field("v", DataType.parse(kind))), ("id",))
        seen = Recorder(lambda _: answer({"ref": 1}, 201))
        opened(KEYED, seen, schema=schema).send(frame((1, value), schema=schema))

        assert seen.sent[0].body.decode() == '{"id":1,"v":' + expected + "}"

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("['{{ record.v }}']", "tag=a&tag=b%20c&tag=1.10&tag=true"),
            ("\"{{ record.v | join(',') }}\"", "tag=a%2Cb%20c%2C1.10%2Ctrue"),
            ("'{{ record.v }}'", "tag=%5B%22a%22%2C%20%22b%20c%22%2C%201.10%2C%20true%5D"),
        ],
    )
    def test_a_list_in_a_row_may_be_several_parameters(self, query, expected):
        """A column of JSON that holds a list is spread where a list of a parameter has it alone, with its digits."""
        schema = Schema((Field("id", DataType("integer")), Field("v", DataType.parse("json"))), ("id",))
        seen = Recorder(lambda _: answer({"ref": 1}, 201))
        write = f"id: body.ref\ncreate: {{post: /items, query: {{tag: {query}}}}}"
        opened(write, seen, schema=schema, mode="append").send(frame((1, '["a", "b c", 1.10, true]'), schema=schema))

        assert seen.sent[0].url.partition("?")[2] == expected

    @pytest.mark.parametrize(
        ("declared", "kind", "value", "expected"),
        [
            ("string", "decimal(14,2)", Decimal("1.50"), '"1.50"'),
            ("number", "decimal(14,2)", Decimal("1.50"), "1.50"),
            ("string", "integer", 7, '"7"'),
            ("integer", "decimal(5,0)", Decimal(7), "7"),
            ("any", "decimal(14,2)", Decimal("1.50"), "1.50"),
        ],
    )
    def test_the_stream_says_how_numbers_are_written(self, declared, kind, value, expected):
        """A number is JSON text where the stream's schema says string, with the same digits."""
        schema = Schema((Field("id", DataType("integer")), Field("v", DataType.parse(kind))), ("id",))
        seen = Recorder(lambda _: answer({"ref": 1}, 201))
        fields = f"{{id: {{type: integer}}, v: {{type: {declared}}}}}"
        opened(KEYED, seen, schema=schema, fields=fields).send(frame((1, value), schema=schema))

        assert seen.sent[0].body.decode() == '{"id":1,"v":' + expected + "}"

    @pytest.mark.parametrize(
        ("write", "body"),
        [
            ("{upsert: {put: /c, body: {contact: '{{ record }}'}}}", {"contact": {"email": ADA[0], "name": None}}),
            ("{nulls: omit, upsert: {put: /c}}", {"email": ADA[0]}),
            (
                "{upsert: {put: /c, body: {to: '<{{ record.email }}>', name: '{{ record.name }}', in: '{{ config.site }}'}}}",
                {"to": f"<{ADA[0]}>", "name": None, "in": "acme"},
            ),
            ("{upsert: {put: /c, body: [1, {of: '{{ record.email }}'}]}}", [1, {"of": ADA[0]}]),
        ],
    )
    def test_bodies(self, write, body):
        """A record stands where the body says, with nulls sent or left out, and templates give text."""
        seen = Recorder(lambda _: answer({}))
        opened(write, seen).send(frame((ADA[0], None)))

        assert json.loads(seen.sent[0].body) == body

    def test_media_type(self):
        """A declared Content-Type stays, whatever its case; else it is JSON's."""
        seen = Recorder(lambda _: answer({}))
        for write in (
            "{upsert: {put: /c}}",
            "{upsert: {patch: /c, headers: {content-type: application/merge-patch+json}}}",
        ):
            opened(write, seen).send(frame(ADA))

        types = [{k.lower(): v for k, v in r.headers.items()}["content-type"] for r in seen.sent]
        assert types == ["application/json", "application/merge-patch+json"]

    def test_keys_in_paths_stay_in_their_segment(self):
        """A key with a slash or a question mark is encoded, and can't lead to another resource."""
        seen = Recorder(lambda _: answer({}))
        opened("{upsert: {put: '/c/{{ record.email }}'}}", seen).send(frame(("../x?y=1", "n")))

        assert seen.sent[0].url == "http://api.example/c/..%2Fx%3Fy%3D1"

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_what_json_cannot_hold_is_refused_first(self, value):
        """NaN and infinity are refused by row, before anything is sent."""
        schema = Schema((Field("id", DataType("integer")), Field("v", DataType("float"))), ("id",))
        seen = Recorder(lambda _: answer({}))
        writer = opened("{upsert: {put: /c}}", seen, schema=schema)
        rows = frame((1, 0.5), (2, value), schema=schema)

        assert writer.refuse(rows) == [Refusal(1, "v", "JSON has no NaN and no infinity")]
        with pytest.raises(Invalid) as caught:
            writer.send(rows)
        assert (caught.value.code, seen.sent) == ("SYN485", [])


class TestOpening:
    @pytest.mark.parametrize(
        ("mode", "write", "said"),
        [
            ("replace", "{upsert: {put: /c}}", "no write: replace"),
            ("append", "{upsert: {put: /c}}", "needs `create`"),
            ("upsert", "{create: {post: /c}}", "needs `upsert`"),
            ("upsert", "{update: {patch: /c}}", "needs `upsert`"),
        ],
    )
    def test_modes_that_the_stream_lacks(self, mode, write, said):
        """A stream without the requests of a mode is refused when it is opened."""
        with pytest.raises(Invalid, match=said) as caught:
            opened(write, lambda _: answer({}), mode=mode)
        assert caught.value.code == "SYN520"

    def test_columns_that_do_not_fit(self):
        """Every column that the stream doesn't have, or can't hold, is a finding."""
        schema = Schema((*SCHEMA.fields, Field("born", DataType("date"))), SCHEMA.key)
        with pytest.raises(Invalid) as caught:
            opened(
                "{upsert: {put: /c}}",
                lambda _: answer({}),
                schema=schema,
                fields="{email: {type: string}, born: {type: integer}}",
            )

        assert [d.code for d in caught.value.diagnostics] == ["SYN521", "SYN521"]
        assert "no field 'name'" in caught.value.diagnostics[0].message
        assert "integer, which can't hold date" in caught.value.diagnostics[1].message

    def test_without_a_ledger(self):
        """Nothing is written to an API that nobody remembers."""
        with pytest.raises(Bug):
            RestDestination(instance("streams: {}"))


class TestOutcomes:
    def test_a_creation_without_a_key_is_sent_once(self):
        """Without an idempotency key, a creation whose answer is lost isn't sent again: the run stops."""
        api = Contacts(lose=frozenset({1}))
        with pytest.raises(Again):
            opened(BLIND, api).send(frame(ADA))
        assert (len(api.of("contacts")), len(api.asked)) == (1, 1)

    def test_a_creation_with_a_key_is_sent_again(self):
        """With one it is, and the API knows it: one effect."""
        api = Contacts(lose=frozenset({1}))
        assert opened(KEYED, api).send(frame(ADA)) == Sent(Written(1))
        assert (len(api.of("contacts")), len(api.asked)) == (1, 2)

    def test_a_creation_is_looked_for(self):
        """Where a record can be found by its key, a lost answer is looked up instead of sent again."""
        api = Contacts(unique="", lose=frozenset({1}))
        assert opened(SEARCH, api).send(frame(ADA)) == Sent(Written(1))
        assert [method for method, _ in api.asked] == ["GET", "POST", "GET"]
        assert len(api.of("contacts")) == 1

    @pytest.mark.parametrize("status", [500, 502, 503])
    def test_server_errors_leave_the_outcome_unknown(self, status):
        """A creation that a server error answers isn't sent again either; an update is."""
        seen = Recorder(lambda _: answer({}, status))
        with pytest.raises(Again):
            opened(BLIND, seen).send(frame(ADA))
        assert len(seen.sent) == 1
        seen = Recorder(lambda _: answer({}, status))
        with pytest.raises(Again):
            opened("{upsert: {put: /c}}", seen).send(frame(ADA))
        assert len(seen.sent) == 2

    def test_too_many_requests_are_repeated(self):
        """A 429 says that nothing was done: the creation is sent again after the time that it asks for."""
        clock = FakeClock()
        replies = iter([answer({}, 429, retry_after="7"), answer({"ref": 1}, 201)])
        assert opened(BLIND, lambda _: next(replies), clock=clock).send(frame(ADA)) == Sent(Written(1))
        assert clock.slept == [7.0]

    def test_what_never_left_is_repeated(self):
        """A creation that no connection was there for is sent again; one that was cut off on its way isn't."""

        def refusing(request: Request) -> Response:
            if len(api.asked) < 1 and not clock.slept:
                clock.sleep(1)
                raise TransportError("connection failed: Connection refused", "connection", unsent=True)
            return api(request)

        api, clock = Contacts(), FakeClock()
        assert opened(BLIND, refusing).send(frame(ADA)) == Sent(Written(1))

    def test_refused_credentials_stop_the_run(self):
        """A 401 is about the client: no record is a reject because of it."""
        with pytest.raises(Stalled):
            opened(BLIND, lambda _: answer({}, 401)).send(frame(ADA))

    @pytest.mark.parametrize("status", [400, 404, 409, 415, 422])
    def test_other_refusals_are_about_the_record(self, status):
        """A 4xx rejects the record with the API's message and the request, and the others are written."""

        def api(request: Request) -> Response:
            bad = b"bob" in request.body
            return answer({"error": "no Bobs"}, status) if bad else answer({"ref": 1}, 201)

        sent = opened(BLIND, api).send(frame(BOB, ADA))

        assert sent.written == Written(1)
        assert sent.refused == (Refusal(0, "", f'POST /contacts: status {status}: {{"error": "no Bobs"}}'),)

    @pytest.mark.parametrize(
        ("do", "expected"),
        [
            ("skip", Sent(Written(0), (Refusal(0, "", "POST /contacts: status 200: quota of acme"),))),
            ("ignore", Sent(Written(0, 1))),
        ],
    )
    def test_rules_come_first(self, do, expected):
        """An error inside a good answer rejects the record by skip, and counts as written by ignore."""
        http = f"errors: [{{when: body.error, do: {do}, message: 'quota of acme'}}]"
        writer = opened("{upsert: {post: /contacts}}", lambda _: answer({"error": 7}), http=http)
        assert writer.send(frame(ADA)) == expected

    def test_a_rule_that_fails_ends_the_run(self):
        """`fail` stops, with the rule's message."""
        http = "errors: [{when: body.error, do: fail, message: 'the API is closed'}]"
        with pytest.raises(Invalid, match="the API is closed"):
            opened("{upsert: {post: /c}}", lambda _: answer({"error": 7}), http=http).send(frame(ADA))

    def test_an_answer_without_an_id(self):
        """A creation whose answer doesn't say the id stops the run: a later one could only create it again."""
        with pytest.raises(Invalid) as caught:
            opened(BLIND, lambda _: answer({}, 201)).send(frame(ADA))
        assert caught.value.code == "SYN522"

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize("method", ["post", "put", "patch"])
    def test_a_redirected_write_is_none(self, method, status):
        """An answer from elsewhere, such as a login page's 200, doesn't count as a record that was written."""

        def api(request: Request) -> Response:
            moved = request.url.endswith("/contacts")
            return answer({}, status, location="/login") if moved else answer({"ref": 1})

        with pytest.raises(Invalid, match="redirected to") as caught:
            opened(f"{{upsert: {{{method}: /contacts}}}}", api).send(frame(ADA))
        assert caught.value.code == "SYN522"

    def test_what_was_applied_before_an_error_is_known(self):
        """Records before the one that stops a run aren't sent again."""
        api, ledger = Contacts(lose=frozenset({2})), MemoryLedger()
        with pytest.raises(Again):
            opened(BLIND, api, ledger=ledger).send(frame(ADA, BOB))
        api.unique = ""
        opened(BLIND, api, ledger=ledger).send(frame(ADA))
        assert [path for _, path in api.asked].count("/contacts") == 2


BATCH = """
id: body.ref
create:
  post: /contacts/batch
  batch: {size: 2, into: body.inputs, results: body.results, id: ref, failed: error, message: error, MATCH}
update: {patch: "/contacts/{{ id }}"}
"""


class TestBatches:
    ROWS = tuple((f"c{n}@example.com", f"C{n}") for n in range(5))

    @pytest.mark.parametrize("match", ["", "match: for, key: '{{ record.email }}'"])
    def test_results_are_told_apart(self, match):
        """Five records go in three requests; the one that is refused is rejected with its own message."""
        api, ledger = Contacts(refuse=lambda r: "not C3" if r["name"] == "C3" else ""), MemoryLedger()
        writer = opened(BATCH.replace("MATCH", match), api, ledger=ledger)
        sent = writer.send(frame(*self.ROWS))

        assert sent.written == Written(4)
        assert sent.refused == (Refusal(3, "", "POST /contacts/batch: not C3"),)
        assert len(api.asked) == 3
        writer.commit("1")
        assert sorted(known.id for known in ledger.records.values()) == ["1", "2", "3", "4"]

    def test_results_come_in_any_order(self):
        """Results that name their records are told apart in any order, those of one name by their order among themselves."""

        def api(request: Request) -> Response:
            asked = json.loads(request.body)["inputs"]
            results = [{"for": r["name"], "ref": n} for n, r in enumerate(asked)]
            results[2] = {"for": results[2]["for"], "error": "taken"}
            names = sorted({r["name"] for r in asked}, reverse=True)
            found = [result for name in names for result in results if result["for"] == name]
            return answer({"results": [*found, {"warning": "slow"}]})

        rows = tuple((f"{name}@x.com", name[0]) for name in ("a", "b", "a2", "c"))
        write = BATCH.replace("MATCH", "match: for, key: '{{ record.name }}'").replace("size: 2", "size: 4")
        ledger = MemoryLedger()
        writer = opened(write, api, ledger=ledger)
        sent = writer.send(frame(*rows))

        assert sent.written == Written(3)
        assert sent.refused == (Refusal(2, "", "POST /contacts/batch: taken"),)
        writer.commit("1")
        assert sorted(known.id for known in ledger.records.values()) == ["0", "1", "3"]

    @pytest.mark.parametrize(
        ("results", "said"),
        [
            ([{"for": "ada@example.com", "ref": 1}], "0 results for 1 records of one key"),
            (
                [{"for": "ada@example.com", "ref": 1}, {"for": "ada@example.com", "error": "no"}],
                "2 results for 1 records",
            ),
        ],
    )
    def test_whose_result_it_is_must_be_known(self, results: list[Any], said: str):
        """A record without a result, and one that is told of twice, stop the run: a refusal may not pass for a success."""
        results = [*results, *([{"for": BOB[0], "ref": 2}] if "2" in said[:1] else [])]
        write = BATCH.replace("MATCH", "match: for, key: '{{ record.email }}'")
        with pytest.raises(Invalid, match=said) as caught:
            opened(write, lambda _: answer({"results": results})).send(frame(ADA, BOB))
        assert caught.value.code == "SYN522"

    @pytest.mark.parametrize(
        ("status", "code"), [(429, "SYN403"), (503, "SYN403"), (408, "SYN403"), (None, "SYN522"), ("high", "SYN522")]
    )
    def test_a_status_that_says_nothing_about_the_record(self, status: Any, code: str):
        """A record that only came at a bad moment is no reject: the run fails and the next one goes on, as for an answer."""
        results = [{"ref": 1, "status": 201}, {"status": status, "why": "later"}]
        write = BATCH.replace("failed: error, message: error, MATCH", "status: status, message: why")
        with pytest.raises(SynclineError) as caught:
            opened(write, lambda _: answer({"results": results})).send(frame(ADA, BOB))
        assert caught.value.code == code
        assert isinstance(caught.value, Again) is (code == "SYN403")

    def test_a_status_that_refuses_a_record(self):
        """A status from 400 on is a reject with the API's message, and the record's status where it has none."""
        results = [{"status": 409, "why": "it is there"}, {"status": 422}, {"ref": 3, "status": 201}]
        write = BATCH.replace("failed: error, message: error, MATCH", "status: status, message: why").replace(
            "size: 2", "size: 3"
        )
        sent = opened(write, lambda _: answer({"results": results})).send(frame(ADA, BOB, ("c@x.com", "C")))
        assert [(r.row, r.message.partition(": ")[2]) for r in sent.refused] == [(0, "it is there"), (1, "status 422")]
        assert sent.written == Written(1)

    def test_a_refusal_says_its_request_as_it_was(self):
        """What isn't declared of a URL is in the message of a reject, and no mark of what an error would leave out."""
        api = Contacts(refuse=lambda _: "no")
        write = BATCH.replace("MATCH", "").replace("batch\n", "batch\n  query: {site: '{{ config.site }}'}\n")
        (refused,) = opened(write, api).send(frame(ADA)).refused
        assert refused.message == "POST /contacts/batch?site=acme: no"

    def test_one_bad_record_of_a_batch_without_results(self):
        """A batch that is refused as a whole is divided until the bad record stands alone."""
        api = Contacts(refuse=lambda r: "not C3" if r["name"] == "C3" else "")
        write = "{upsert: {post: /contacts/import, batch: {size: 5}}}"
        sent = opened(write, api).send(frame(*self.ROWS))

        assert (sent.written.inserted + sent.written.updated, [r.row for r in sent.refused]) == (4, [3])
        assert "not C3" in sent.refused[0].message
        assert len(api.of("contacts")) == 4

    @pytest.mark.parametrize("results", [[], [{"ref": 1}], {"ref": 1}, None])
    def test_results_that_are_missing(self, results):
        """An answer that doesn't have a result for each record stops the run: nobody knows what was written."""
        with pytest.raises(Invalid) as caught:
            opened(BATCH.replace("MATCH", ""), lambda _: answer({"results": results})).send(frame(ADA, BOB))
        assert caught.value.code == "SYN522"


class TestMessages:
    def test_writes_without_an_error_have_no_message(self, monkeypatch):
        """What a connector declares is gone through for errors alone, and once for all of them."""
        asked = []

        def words(made):
            asked.append(made)
            return declared_words(made)

        monkeypatch.setattr(opening, "declared_words", words)
        api = Contacts(refuse=lambda r: "no" if r["name"] == "C3" else "")
        assert opened(KEYED, api).send(frame(*TestBatches.ROWS)).written == Written(4)
        assert len(asked) == 0
        unfit = opened(BATCH.replace("MATCH", ""), lambda _: answer({"results": [{}, {}]}))
        with pytest.raises(Invalid):
            unfit.send(frame(ADA, BOB))
        assert len(asked) == 1


@pytest.mark.parametrize("threads", [1, 4])
def test_a_stopped_send_ends_soon_and_forgets_nothing(threads):
    """What is under way is ended and noted, and nothing else is sent; the next one sends the rest."""
    api, ledger = Contacts(unique=""), MemoryLedger()

    def slow(request: Request) -> Response:
        time.sleep(0.01)
        if len(api.asked) >= 10:
            writer.stop()
        return api(request)

    write = f"concurrency: {threads}\n{BLIND[1:-1]}".replace(", create", "\ncreate").replace(", update", "\nupdate")
    rows = frame(*((f"c{n}@example.com", "n") for n in range(100)))
    writer = opened(write, slow, ledger=ledger)
    with pytest.raises(Again, match="the run was stopped"):
        writer.send(rows)
    sent = len(api.asked)

    assert sent < 20
    assert opened(write, api, ledger=ledger).write(rows, "1") == Written(100)
    assert (len(api.asked), len(api.of("contacts"))) == (100, 100)


def test_concurrency():
    """As many requests are on their way as are allowed, and no more."""
    now, most, lock = [0], [0], threading.Lock()
    together = threading.Barrier(8, timeout=120)  # breaks, and so fails, where there are never eight

    def api(request: Request) -> Response:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        together.wait()
        with lock:
            now[0] -= 1
        return answer({})

    rows = frame(*((f"c{n}@example.com", "n") for n in range(40)))
    assert opened("{concurrency: 8, upsert: {put: /c}}", api).send(rows).written == Written(0, 40)
    assert most[0] == 8


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": Decimal("1.50")}, {"a": 1.5}, True),
        ({"a": True}, {"a": 1}, False),
        ({"a": None}, {}, True),
        ({"a": "2024-01-01T00:00:00Z"}, {"a": "2024-01-01T01:00:00.000+01:00"}, True),
        ({"a": "2024-01-01"}, {"a": "2024-01-02"}, False),
        ({"a": "x"}, ["x"], False),
    ],
)
def test_same(ours: Mapping[str, Any], theirs: Any, expected: bool):
    """Values are compared by what they mean: numbers by their digits, instants whatever their zone."""
    assert same(ours, theirs) is expected
