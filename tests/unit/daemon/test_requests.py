"""Tests of runs that a daemon takes over from `syncline run`: the same as here, refused where it isn't its own."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
from msgspec import structs

from syncline import workflow
from syncline.cli import handover
from syncline.cli.commands.serve import _flow
from syncline.cli.handover import hand_over
from syncline.daemon import requests, wire
from syncline.daemon.requests import RunRequests
from syncline.executor.engine import Engine
from syncline.executor.progress import Silent
from syncline.model.diagnostic import Diagnostic, Place, Related, Severity
from syncline.model.errors import Again, Bug, Denied, Invalid, Stalled, Waiting
from syncline.model.run import RunState
from syncline.secrets.contract import Problem, Reference, Unavailable
from tests import repository
from tests.e2e.house import audit_events


class Told(Silent):
    """Progress, as it was told."""

    def __init__(self):
        self.calls = []

    def started(self, info):
        self.calls.append(("started", info.object, info.source, info.target))

    def phase(self, name):
        self.calls.append(("phase", name))

    def finished(self, counts, seconds):
        self.calls.append(("finished", counts))


@pytest.fixture
def settings(tmp_path):
    """A repository with an import of one good and one bad row, applied."""
    made = repository.write(tmp_path, repository.CUSTOMERS)
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "customers.csv").write_text("id,name,email\n1,Ann,ann@example.com\nx,Bob,bob@example.com\n")
    workflow.apply(made)
    return made


@pytest.fixture
def stop():
    return threading.Event()


@pytest.fixture
def taking(settings, stop):
    """A daemon's end, taking requests; the engine that it runs them with."""
    with workflow.engine(settings) as engine, RunRequests(settings, _flow, print).taking(engine, stop):
        yield engine


def follow(settings, name="Import/customers", **options):
    """The end of a run that was handed over, and its progress."""
    handed = hand_over(settings, name, options.pop("tenant", ""), full_refresh=options.pop("full_refresh", False))
    assert handed is not None
    told = Told()
    return handed.follow(told), told.calls


def said(settings, text: bytes) -> bytes:
    """What the socket answers to whatever is sent to it."""
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(60)
        with wire.socket_path(settings.home) as path:
            connection.connect(path)
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(65536)


def test_a_run_that_is_handed_over_is_the_same_as_one_here(settings, taking):
    """Progress, receipt, rules and state are those of a run in this process; the log says who asked."""
    (receipt, rules, state), calls = follow(settings)
    here = Told()
    local = workflow.run(settings, taking.applied().flow(next(iter(taking.applied().flows))).flow.key, progress=here)

    assert state is RunState.partial
    assert receipt.counts.to_json() == local.receipt.counts.to_json() | {"inserted": 1, "unchanged": 0}
    assert (receipt.read_digest, receipt.object) == (local.receipt.read_digest, local.receipt.object)
    assert rules == workflow.reject_rules(settings, local.receipt.run)
    assert [call[0] for call in calls] == [call[0] for call in here.calls]
    started = [e for e in audit_events(settings) if e["metadata"]["event_code"] == "run.start"]
    assert [e["unmapped"]["details"].get("asked") for e in started] == [f"uid {os.geteuid()}", None]
    assert [e["unmapped"]["details"]["trigger"] for e in started] == ["manual", "manual"]


def test_what_can_not_be_run_is_told_as_here(settings, taking):
    """A name that means nothing is the same error with the same code and help, and the daemon goes on."""
    with pytest.raises(Invalid, match="did you mean acme/Import/customers") as caught:
        follow(settings, "Import/custmers")
    assert caught.value.code == "SYN650"
    (receipt, _, _), _ = follow(settings)
    assert receipt is not None


def test_only_the_owner_can_ask(settings, taking):
    """The socket's mode is 0600, and the folder's 0700."""
    place = settings.home / wire.SOCKET
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_ISSOCK(place.stat().st_mode)
    assert stat.S_IMODE(settings.home.stat().st_mode) == 0o700


def test_another_place_is_not_this_daemons(settings, taking):
    """A request for another folder, state or version isn't taken: the command then runs by itself."""
    here = wire.Request.here(settings.root, settings.state_url, "Import/customers")
    for other in (
        structs.replace(here, root="/"),
        structs.replace(here, state="0" * 64),
        structs.replace(here, version="0.0"),
    ):
        assert json.loads(said(settings, other.dumps())) == {"refused": "not this daemon's"}
    elsewhere = replace(settings, state_url="sqlite:////elsewhere.db")
    assert hand_over(elsewhere, "Import/customers", "", full_refresh=False) is None
    assert not taking.facilities.store.runs()


@pytest.mark.parametrize(
    "text",
    [
        b"\n",
        b"{}\n",
        b"[]\n",
        b"\xff\n",
        b'{"version":1}\n',
        b"{" * 50_000 + b"\n",
        b"x" * (wire.MAX_REQUEST + 10),
        json.dumps({"version": "1", "root": "", "state": "", "name": "", "tenant": "", "full_refresh": "yes"}).encode()
        + b"\n",
    ],
)
def test_what_is_no_request_is_refused(settings, taking, text):
    """Whatever else is sent starts nothing and ends nothing."""
    assert json.loads(said(settings, text)) == {"refused": "not this daemon's"}
    (receipt, _, _), _ = follow(settings)
    assert receipt is not None


def test_without_a_daemon_nothing_is_handed_over(settings):
    """Where no socket is, or one that nobody listens at, the command runs by itself."""
    assert hand_over(settings, "Import/customers", "", full_refresh=False) is None
    with closing(socket.socket(socket.AF_UNIX)) as left, wire.socket_path(settings.home) as path:
        left.bind(path)
    assert hand_over(settings, "Import/customers", "", full_refresh=False) is None


def test_a_socket_that_was_left_is_replaced_and_another_daemons_is_left_alone(settings, stop):
    """A daemon that takes over binds its own; the end of the earlier one doesn't remove it."""
    place = settings.home / wire.SOCKET
    with workflow.engine(settings) as engine:
        with RunRequests(settings, _flow, print).taking(engine, stop):
            former = RunRequests(settings, _flow, print).taking(engine, stop)
            former.__enter__()
            assert follow(settings)[0][0] is not None
        assert place.exists()
        former.__exit__(None, None, None)
    assert not place.exists()


def test_a_daemon_that_stops_says_so(settings, taking, stop):
    """A run that the daemon's end cuts short is an error that may pass, and is recorded as interrupted."""
    stop.set()
    with pytest.raises(Again) as caught:
        follow(settings)
    assert caught.value.code == "SYN682"
    (record,) = taking.facilities.store.runs()
    assert record.state is RunState.interrupted


@contextmanager
def answering(settings, *answers: bytes, hold: bool = False):
    """A daemon that takes one request, answers this, and hangs up; or, to `hold`, says nothing more."""
    with closing(socket.socket(socket.AF_UNIX)) as listener, wire.socket_path(settings.home) as path:
        listener.bind(path)
        listener.listen(1)
        over = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"".join(answers))
                over.wait(0 if not hold else 60)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


STARTED = wire.line({"started": ["r", "acme/Import/customers", "a", "b", False]})


@pytest.mark.parametrize("answers", [(), (STARTED,)], ids=["from the start", "in the middle"])
def test_a_daemon_that_hangs_is_given_up(settings, monkeypatch, answers):
    """One that takes a request and falls silent is no wait for ever: it is an error that says what to look at."""
    monkeypatch.setattr(handover, "SILENCE", 0.3)
    with answering(settings, *answers, hold=True), pytest.raises(Again, match="has said nothing") as caught:
        follow(settings)
    assert caught.value.code == "SYN743"


@pytest.mark.parametrize("rest", [b"", b'{"receipt": {"ru', b"nonsense\n"], ids=["nothing", "half", "nonsense"])
def test_an_answer_that_is_cut_off_is_no_defect(settings, rest):
    """A daemon that dies in the middle of an answer has stopped before the run ended, and nothing else."""
    with answering(settings, STARTED, rest), pytest.raises(Again) as caught:
        follow(settings)
    assert caught.value.code == "SYN682"


def test_a_long_run_is_told_from_a_daemon_that_hangs(settings, taking, monkeypatch):
    """While a run says nothing of itself, the daemon says that it is alive, and the run is waited for."""
    monkeypatch.setattr(requests, "ALIVE_EVERY", 0.1)
    monkeypatch.setattr(handover, "SILENCE", 1.0)
    run = Engine.run

    def slow(engine, work, progress):
        time.sleep(2.5)
        return run(engine, work, progress)

    monkeypatch.setattr(Engine, "run", slow)
    (receipt, _, _), _ = follow(settings)
    assert receipt is not None


def test_hanging_up_stops_the_run(settings, taking):
    """Who asked and is gone has the run stopped after its last commit, as Ctrl-C does here."""
    handed = hand_over(settings, "Import/customers", "", full_refresh=False)
    assert handed is not None

    class Interrupting(Silent):
        def started(self, info):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        handed.follow(Interrupting())
    end = time.monotonic() + 60
    while any(run.state is RunState.running for run in taking.facilities.store.runs()):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_errors_arrive_as_they_were():
    """Every kind of error keeps its message, code, help and findings on the way."""
    finding = Diagnostic(
        "SYN221",
        "no such mapping",
        Place("a.yaml", 3, 7, 3, 9),
        Severity.warning,
        related=(Related(Place("b.yaml", 1), "here"),),
    )
    for error in (
        Invalid("m", code="SYN650", help="h", diagnostics=[finding]),
        Denied("m", code="SYN500", help="h", diagnostics=[finding]),
        Again("m", code="SYN467", help="h", after=3.0),
        Waiting("m", code="SYN610", help="h", on="host:1"),
        Stalled("m", code="SYN614", help="h"),
        Bug("m"),
    ):
        arrived = wire.error_of(json.loads(wire.line(wire.error_data(error))))
        assert type(arrived) is type(error)
        assert vars(arrived) == vars(error)


def test_a_missing_secret_arrives_with_its_code():
    """An error of a more special kind arrives as the kind that it is one of: code and remedy aren't lost."""
    missing = Unavailable(Reference("env", "TOKEN"), Problem("SYN801", "no such variable", "Set it."))

    arrived = wire.error_of(json.loads(wire.line(wire.error_data(missing))))

    assert type(arrived) is Stalled
    assert (arrived.message, arrived.code, arrived.help) == (missing.message, "SYN801", "Set it.")


def test_asking_needs_no_heavy_library(settings):
    """Until a daemon has answered, the command has loaded none of the libraries that a run needs."""
    code = (
        "import sys; from pathlib import Path; from syncline.settings import read_settings\n"
        "from syncline.cli.commands.run import run; from syncline.cli.handover import hand_over\n"
        f"hand_over(read_settings(Path({str(settings.root)!r}), {{}}), 'x', '', full_refresh=False)\n"
        "print([m for m in ('polars', 'sqlalchemy', 'pydantic', 'pyarrow', 'yaml', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
