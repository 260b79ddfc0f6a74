"""Answers that can't be read: refused whole, a sample kept for who has to find out why, and nothing else changed."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import SynclineError
from syncline.model.key import ObjectKey
from syncline.secrets.keys.ring import KeyRing
from tests.api_server import Asked, Reply, api_server
from tests.e2e.api import helpdesk, syncline
from tests.e2e.house import audit_events, audit_ok, build, settings_of
from tests.e2e.test_bad_input import table
from tests.look import Look

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.model.run import Reject
    from syncline.settings import Settings

TICKETS = ObjectKey("acme", "Sync", "tickets")
MARK = "mark-of-a-person"
#: Messages quote the first 120 characters of an answer; what follows is for the sample alone.
PAD = "." * 200
GOOD = json.dumps({"about": PAD, "data": [{"id": n, "title": MARK} for n in (3, 4)], "next": None}).encode()
CORPUS: dict[str, Reply] = {
    "cut JSON": Reply(GOOD[:-9]),
    "HTML with status 200": Reply(f"<html>{PAD}{MARK}</html>".encode(), content_type="text/html"),
    "HTML that says JSON": Reply(f"<html>{PAD}{MARK}</html>".encode()),
    "invalid UTF-8": Reply(GOOD.replace(b"mark-", b"\xff\xfemark-", 1)),
    "NaN": Reply(GOOD.replace(b'"id": 3', b'"id": NaN')),
    "a name twice": Reply(GOOD.replace(b'"id": 3', b'"id": 3, "id": 4')),
    "another charset": Reply(GOOD, content_type="application/json; charset=utf-16"),
    "gzip inside": Reply(gzip.compress(GOOD)[:-12] + PAD.encode() + MARK.encode(), content_type="application/gzip"),
    "no list of records": Reply({"error": PAD + MARK}),
    "cut body": Reply(GOOD, cut=len(GOOD) - 9),
    "no gzip, though it says so": Reply(GOOD, headers={"Content-Encoding": "gzip"}),
    "too deep": Reply(f'["{PAD}{MARK}",'.encode() + b"[" * 100_000),
}


class Api:
    """Two pages of tickets. The second one is `wrong` while that is set."""

    def __init__(self) -> None:
        self.wrong: Reply | None = None
        self.echo = False

    def __call__(self, asked: Asked) -> Reply:
        if "cursor" not in asked.query:
            return Reply({"data": [{"id": 1, "title": "t"}, {"id": 2, "title": "t"}], "next": "2"})
        if self.echo:
            return Reply(f"<p>{PAD}{MARK} {json.dumps(dict(asked.headers))} {asked.query}</p>".encode())
        return self.wrong or Reply(GOOD)


def refused(settings: Settings) -> str:
    """The id of a run that is ended by an answer which can't be read."""
    with pytest.raises(SynclineError) as caught:
        workflow.run(settings, TICKETS, progress=Silent())
    assert caught.value.sample is not None
    return Look(settings.state_url).runs()[0].id


def sample(settings: Settings, run: str) -> Reject:
    """The only reject of a run, which is a sample."""
    (found,) = workflow.rejects(settings, run)
    assert found.rule == "page"
    return found


def holding(root: Path, text: str) -> list[str]:
    """Files that have this text in clear."""
    return [str(p) for p in sorted(root.rglob("*")) if p.is_file() and text.encode() in p.read_bytes()]


@pytest.mark.parametrize("case", CORPUS)
def test_an_answer_that_cannot_be_read_leaves_a_sample_and_nothing_else(tmp_path, case):
    """The page is refused whole: no row, no step of the cursor; its sample is sealed; the next run reads the page."""
    api = Api()
    api.wrong = wrong = CORPUS[case]
    body = (wrong.body if isinstance(wrong.body, bytes) else json.dumps(wrong.body).encode())[: wrong.cut]
    with api_server(api) as server:
        settings = build(tmp_path, helpdesk(server.url, read="incremental"))
        workflow.apply(settings)
        run = refused(settings)
        assert [row[0] for row in table(tmp_path)] == [1, 2]
        assert holding(tmp_path, MARK) == []
        found = sample(settings, run)
        kept = json.loads(found.record)
        assert found.place == kept["request"] == "GET /tickets?cursor=2"
        assert (kept["status"], kept["content_type"]) == (200, wrong.content_type)
        assert (kept["length"], kept["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
        assert MARK in kept["body"]
        assert len(kept["body"]) <= 4096
        api.wrong = None
        done = workflow.run(settings, TICKETS, progress=Silent())
    assert (done.receipt.counts.rejected, [row[0] for row in table(tmp_path)]) == (0, [1, 2, 3, 4])
    assert sample(settings, run).record == found.record
    assert audit_ok(settings)
    assert samples(settings) == [kept["sha256"]]


def samples(settings: Settings) -> list[str]:
    """Digests in the events that say that a sample is kept."""
    details = [event["unmapped"]["details"] for event in audit_events(settings)]
    return [found["sample"] for found in details if "sample" in found]


def test_a_secret_that_an_answer_echoes_is_masked_in_its_sample(tmp_path):
    """What was sent comes back in the page: the sample has the page, and `***` for each form of the credential."""
    canary = "c4n4ry/7f3a+9b1c"
    api = Api()
    api.echo = True
    auth = "{type: bearer, token: {secretRef: {provider: env, key: CANARY}}}"
    with api_server(api) as server:
        build(tmp_path, helpdesk(server.url, auth=auth))
        settings = settings_of(tmp_path, {"CANARY": canary})
        workflow.apply(settings)
        found = sample(settings, refused(settings))
    assert "Bearer ***" in json.loads(found.record)["body"]
    assert MARK in found.record
    assert canary not in repr(found)
    assert holding(tmp_path, canary) == []


def test_a_sample_is_read_with_the_tenant_s_key_only(tmp_path):
    """Once the key is destroyed, nobody can read the sample any more; that there was one is still told."""
    api = Api()
    api.wrong = CORPUS["cut JSON"]
    with api_server(api) as server:
        settings = build(tmp_path, helpdesk(server.url))
        workflow.apply(settings)
        run = refused(settings)
    assert KeyRing.open(settings.keys).destroy("acme")
    with pytest.raises(SynclineError):
        list(workflow.rejects(settings, run))
    assert workflow.reject_rules(settings, run) == {"page": 1}


def test_a_run_says_that_a_sample_is_kept_and_how_to_see_it(tmp_path):
    """`runs show` names the command, which shows all of it."""
    api = Api()
    api.wrong = CORPUS["HTML with status 200"]
    with api_server(api) as server:
        settings = build(tmp_path, helpdesk(server.url))
        workflow.apply(settings)
        run = refused(settings)
    shown = syncline(tmp_path, "runs", "show", run).stdout
    assert f"syncline runs rejects {run}" in shown
    assert MARK not in shown
    listed = syncline(tmp_path, "runs", "rejects", run, "-o", "json").stdout
    assert MARK in json.loads(json.loads(listed)["record"])["body"]
