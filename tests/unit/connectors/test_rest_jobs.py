"""Jobs of an API, from their creation to their deletion, against a server that a function plays."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from syncline.model.errors import Again, Invalid, SynclineError
from syncline.sdk.batch import Batch
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, rows, source
from tests.unit.connectors.exports import JOB, Exports, opened


def test_a_job_is_created_polled_downloaded_and_deleted():
    """Four steps, with growing waits; files at another host come without credentials and without the API's headers."""
    api, clock = Exports(), FakeClock()
    batches = read(opened(api, JOB.replace("streams:", "http: {headers: {X-Tenant: t}}\nstreams:"), clock=clock))
    assert [row["id"] for row in rows(batches)] == [1, 2, 11, 12]
    polls = ["GET /exports/j1"] * 3
    assert api.log == ["POST /exports", *polls, "GET /0", "GET /1", "DELETE /exports/j1"]
    assert clock.slept == [2.0, 3.0, 4.0]
    foreign = api.seen[4]
    assert {name.lower() for name in foreign.headers} == {"accept", "user-agent"}
    assert "Authorization" in api.seen[3].headers
    assert "signature" not in str(batches)


@pytest.mark.parametrize("kept", range(4))
def test_a_run_that_stops_goes_on_with_its_job(kept):
    """From the position of any batch, the rest is read: no record twice, no second job, and the job is deleted."""
    api = Exports()
    whole = list(rows(read(opened(Exports(), batch_rows=1))))
    reading = opened(api, batch_rows=1)
    batches = []
    for batch in reading.read(None):
        batches.append(batch)
        if len(batches) == kept + 1:
            break  # killed here
    reading.close()
    again = read(opened(api, batch_rows=1), json.loads(json.dumps(batches[-1].position)))
    assert rows(batches) + rows(again) == whole
    assert api.log.count("POST /exports") == 1
    assert api.jobs == {}


def test_records_are_kept_before_the_job_is_deleted():
    """The batch with the last records is handed over before the job is deleted."""
    api = Exports()
    reading = opened(api)
    before = [len(api.jobs) for batch in reading.read(None) if batch.frame.height]
    reading.close()
    assert before == [1]


def test_a_job_that_is_gone_is_created_anew():
    """A resumed job that the API no longer knows is replaced by one new job."""
    api = Exports()
    reading = opened(api)
    first = next(iter(reading.read(None)))
    reading.close()
    api.jobs.clear()
    found = rows(read(opened(api), first.position))
    assert [row["id"] for row in found] == [1, 2, 11, 12]
    assert api.log.count("POST /exports") == 2


@pytest.mark.parametrize(("polls", "outcome", "code"), [(2, "failed", "SYN496"), (1000, "done", "SYN497")])
def test_a_job_that_fails_or_takes_too_long(polls, outcome, code):
    """It is deleted and forgotten, the error says why without secrets, and the next run creates another."""
    api = Exports(polls=polls, outcome=outcome)
    reading = opened(api)
    with pytest.raises(Again) as caught:
        read(reading)
    assert caught.value.code == code
    assert "s3cret" not in caught.value.message
    assert caught.value.message.isprintable()
    assert ("*** quota" in caught.value.message) == (outcome == "failed")
    assert api.jobs == {}


def test_the_position_forgets_a_failed_job():
    """The position that is kept before the error no longer has the job, so that the next run starts another."""
    api = Exports(outcome="failed")
    reading = opened(api)
    batches: list[Batch] = []
    with pytest.raises(Again):
        batches.extend(batch for batch in reading.read(None))
    reading.close()
    assert ["job" in batch.position for batch in batches] == [True, False]
    api.outcome = "done"
    assert len(rows(read(opened(api), batches[-1].position))) == 4


def test_a_creation_without_an_answer_is_not_repeated():
    """A job may exist although its creation wasn't answered: the request isn't sent again by itself."""
    api = Exports()
    transport = FunctionTransport(lambda request: answer({}, status=503) if request.method == "POST" else api(request))
    with pytest.raises(Again):
        read(source(instance(JOB), transport=transport))
    assert len(transport.sent) == 1


KEYED = JOB.replace("post: /exports,", 'post: /exports, headers: {Idempotency-Key: "{{ job.key }}"},')


def test_a_creation_with_a_key_is_repeated_under_it():
    """The key is in the position before the request, and every repetition has it, in this read and in the next one."""
    keys = []

    def api(request):
        keys.append(request.headers.get("Idempotency-Key"))
        return answer({}, status=503)

    with pytest.raises(Again):
        read(opened(api, KEYED))
    reading = opened(api, KEYED)
    first = next(iter(reading.read(None)))
    reading.close()
    assert first.settle
    before, keys[:] = list(keys), []
    with pytest.raises(Again):
        read(opened(api, KEYED), first.position)
    assert len(before) > 1
    assert len(set(before)) == 1
    assert set(keys) == {first.position["job"]["key"]} != set(before)


def test_no_files_are_no_records():
    """A job that gives an empty list of URLs ends the read without records."""
    api = Exports(files=0)
    assert rows(read(opened(api))) == []
    assert api.jobs == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("*.store.example", "store.example"), "SYN498"),
        (("*.store.example", "*.eu.store.example"), "SYN498"),
        (("body.files[].url", "body.state.x"), "SYN422"),
        (("    job:\n", "    job:\n      id: body.nothing\n"), "SYN422"),
    ],
)
def test_answers_about_a_job_that_cannot_be_used(change, code):
    """A file at an undeclared host, and answers without URL or id, are errors."""
    with pytest.raises(SynclineError) as caught:
        read(opened(Exports(), JOB.replace(*change)))
    assert caught.value.code == code
    assert "signature" not in caught.value.message


def test_a_job_for_each_window_with_pages():
    """Each span of the cursor has its own job, whose results are paged by a request; the next run starts after them."""
    text = """
streams:
  items:
    records: data[]
    page: {cursor: next, into: query.at}
    cursor: {field: day, type: date, start: "2026-01-01", window: 2d, into: {body.from: start, body.to: end}}
    job:
      create: {post: /q}
      id: headers.location
      poll: {get: "/q/{{ job.id }}", done: "status == `200`"}
      download: {get: "/q/{{ job.id }}/rows"}
    schema: {properties: {day: {type: string, format: date}}}
"""
    spans: dict[str, dict[str, str]] = {}

    def api(request):
        parts = urlsplit(request.url)
        if request.method == "POST":
            spans[f"j{len(spans)}"] = json.loads(request.body)
            return answer(b"", status=201, location=f"j{len(spans) - 1}")
        job = parts.path.split("/")[2]
        if not parts.path.endswith("/rows"):
            return answer({}, status=200)
        at = dict(parse_qsl(parts.query)).get("at")
        return answer({"data": [{"day": spans[job]["to" if at else "from"]}], "next": None if at else "2"})

    clock = FakeClock(time=1767571200.0)  # 2026-01-05
    reading = source(instance(text), incremental=True, transport=FunctionTransport(api), clock=clock)
    batches = read(reading)
    assert [(span["from"], span["to"]) for span in spans.values()] == [
        ("2026-01-01", "2026-01-03"),
        ("2026-01-03", "2026-01-05"),
    ]
    days = [str(row["day"]) for row in rows(batches)]
    assert days == ["2026-01-01", "2026-01-03", "2026-01-05"]  # the second job's first record was read before
    assert "job" not in batches[-1].position
    assert batches[-1].position["cursor"] == "2026-01-05"


@pytest.mark.parametrize("what", ["POST /exports", "GET /exports", "GET /0"])
@pytest.mark.parametrize("do", ["reset_paging", "split", "restart"])
def test_rules_that_a_job_cannot_follow(what, do):
    """A rule that starts paging or reading over is an error where a job's requests are meant: nothing is left out."""
    api = Exports()

    def served(request):
        hit = f"{request.method} {urlsplit(request.url).path}".startswith(what)
        return answer({"error": "over"}, status=418) if hit else api(request)

    text = JOB.replace("streams:", f"http: {{errors: [{{when: 'status == `418`', do: {do}}}]}}\nstreams:")
    transport = FunctionTransport(served)
    with pytest.raises(Invalid) as caught:
        read(source(instance(text), transport=transport))
    assert caught.value.code in ({"SYN440", "SYN420"} if do == "reset_paging" else {"SYN440"})
