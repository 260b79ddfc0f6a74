"""E-mail through a real server: threads, TLS that is verified, logins, refusals, and the bounds of what may be reached."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncline.connectors.smtp import session as sessions
from syncline.connectors.smtp.notifier import MailNotifier
from syncline.connectors.smtp.session import check
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.catalog import catalog
from syncline.model.errors import Again, Denied, Invalid, Stalled
from syncline.model.notice import NOTICES, Phase
from syncline.model.secret import Secret
from syncline.notify.sender import CLAIMED
from syncline.sdk import dial
from syncline.sdk.clients import Network
from syncline.sdk.http import Egress
from syncline.sdk.notice import Notice, PartlyArrived
from syncline.sdk.source import Credentials, Instance
from tests.mail_server import PASSWORD, USER, mail_server
from tests.peers.pki import Authority

OPEN = Notice(
    "5e0c", Phase.open, "acme/Integration/crm: credentials refused", "Since 02:15.\nSee: syncline explain",
    NOTICES["incident"], subject="[Syncline] acme/Integration/crm", channel="ops@example.com, Büro <b@example.com>", thread="t1",
)  # fmt: skip
LOCAL = Network(egress=Egress(private=("127.0.0.0/8",), literals=False))


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


def instance(root: Path, port: int, tls: str = "starttls", password: str = PASSWORD, **more) -> Instance:
    key = max(k for k in catalog() if (k.kind, k.base) == ("Connector", "smtp"))
    config: dict[str, Any] = {
        "host": "localhost",
        "port": port,
        "tls": tls,
        "from": "Syncline <alerts@example.com>",
    }
    ca = more.pop("ca", "" if tls == "none" else "ca.crt")
    spec = IntegrationSpec.model_validate({"connector": "smtp", "tls": {"ca": ca}})
    return Instance(
        "mail", catalog()[key].spec, spec, {**config, **more}, root,
        credentials=Credentials("basic", {"username": USER}, {"password": Secret(password)}) if password else Credentials(),
        network=LOCAL,
    )  # fmt: skip


@pytest.fixture
def root(authority) -> Path:
    return authority.ca.parent


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_thread_is_a_mail_and_replies_to_it(root, authority, tls):
    """Mails arrive encrypted, after a login; what follows refers to the first one, under its subject."""
    with mail_server(authority.issue("localhost"), implicit=tls == "implicit", login=True) as server:
        notifier = MailNotifier(instance(root, server.port, tls))
        ref = notifier.send(OPEN)
        assert notifier.send(replace(OPEN, id="5e0d", phase=Phase.resolve, title="Resolved", ref=ref)) == ref
        found = check(instance(root, server.port, tls))

    first, last = server.mails
    assert ref == first["Message-ID"] == "<5e0c@example.com>"
    assert (first["Subject"], last["Subject"]) == (
        "[Syncline] acme/Integration/crm",
        "Re: [Syncline] acme/Integration/crm",
    )
    assert (last["In-Reply-To"], last["References"], first["In-Reply-To"]) == (ref, ref, None)
    assert first["To"] == "ops@example.com, Büro <b@example.com>"
    assert first["From"] == "Syncline <alerts@example.com>"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first.get_content().splitlines()[:3] == [OPEN.title, "", "Since 02:15."]
    assert server.secured == [tls == "starttls"] * 2  # the server only notes the other way of becoming secure
    assert (found.identity, found.tls is not None and found.tls.version) == (USER, "TLSv1.3")


@pytest.mark.parametrize(
    ("change", "error", "code", "words"),
    [
        ({"host": "127.0.0.1", "ca": ""}, Stalled, "SYN736", "certificate refused"),
        ({"password": "wrong"}, Stalled, "SYN401", "the login is refused"),
        ({"port": 1}, Again, "SYN736", "can't be reached"),
        ({"ca": "../ca.crt"}, Invalid, "SYN432", "can't be read"),
    ],
    ids=["authority", "login", "nobody", "outside"],
)
def test_what_keeps_a_mail_from_being_taken(root, authority, change, error, code, words):
    """A certificate that isn't trusted, a login that is refused, a server that isn't there; nothing is sent, no secret told."""
    with mail_server(authority.issue("localhost"), login=True) as server:
        made = instance(root, **{"port": server.port, **change})
        with pytest.raises(error, match=words) as raised:
            MailNotifier(made).send(OPEN)
    assert raised.value.code == code
    assert PASSWORD not in raised.value.message
    assert server.mails == []


def test_without_tls_nothing_is_sent_to_a_server_that_was_to_have_it(root):
    """A server that offers no STARTTLS, as one that somebody in between has stripped it from, gets neither login nor mail."""
    with mail_server() as server:
        with pytest.raises(Stalled, match="STARTTLS") as raised:
            MailNotifier(instance(root, server.port)).send(OPEN)
        MailNotifier(instance(root, server.port, "none", password="")).send(OPEN)
    assert raised.value.code == "SYN736"
    assert len(server.mails) == 1


@pytest.mark.parametrize(
    ("said", "error", "code"), [("550 no such user", Stalled, "SYN738"), ("451 try later", Again, "SYN736")]
)
def test_what_the_server_answers(root, said, error, code):
    """5xx is for a person, 4xx for later."""
    with mail_server() as server:
        server.answers = [said]
        with pytest.raises(error, match=said) as raised:
            MailNotifier(instance(root, server.port, "none", password="")).send(OPEN)
    assert raised.value.code == code


@pytest.mark.parametrize("channel", ["", "ops", "a@example.com\nBcc: b@example.com", "@", "a b@example.com"])
def test_what_is_no_address_is_told(root, channel):
    """Addresses are checked before anything is sent; no header can be smuggled in."""
    with mail_server() as server, pytest.raises(Stalled, match="address"):
        MailNotifier(instance(root, server.port, "none", password="")).send(replace(OPEN, channel=channel))
    assert server.mails == []


def test_private_addresses_are_out_of_bounds(root):
    """The guard of what may be reached holds for mail servers, by the address and not by the name."""
    with mail_server() as server:
        made = replace(instance(root, server.port, "none", password=""), network=Network(egress=Egress(literals=False)))
        with pytest.raises(Denied) as raised:
            MailNotifier(made).send(OPEN)
    assert raised.value.code == "SYN460"
    assert server.mails == []


def test_a_server_that_trickles_is_left(root, monkeypatch):
    """A session as a whole has a bound, however slowly its answers come."""
    monkeypatch.setattr(sessions, "WHOLE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def trickle() -> None:
            taken, _ = listening.accept()
            with taken:
                try:
                    for _ in range(300):
                        taken.sendall(b"2")
                        threading.Event().wait(0.05)
                except OSError:
                    return

        threading.Thread(target=trickle, daemon=True).start()
        with pytest.raises(Again, match="can't be reached"):
            MailNotifier(instance(root, listening.getsockname()[1], "none", password="")).send(OPEN)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_server_that_trickles_under_tls_is_left(root, authority, monkeypatch, tls):
    """The bound holds for the encrypted session too, whose answer of many lines never ends."""
    monkeypatch.setattr(sessions, "WHOLE", 1.5)
    certificate = authority.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    secured = threading.Event()

    def trickle(listening: socket.socket) -> None:
        plain, _ = listening.accept()
        if tls == "starttls":
            for answer in (b"220 here\r\n", b"250-here\r\n250 STARTTLS\r\n", b"220 go\r\n"):
                plain.sendall(answer)
                if not answer.endswith(b"go\r\n"):
                    plain.recv(1000)
        with context.wrap_socket(plain, server_side=True) as taken:
            secured.set()
            line = b"250-more\r\n" if tls == "starttls" else b"220-more\r\n"
            try:
                for _ in range(300):
                    taken.sendall(line)
                    time.sleep(0.05)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=trickle, args=[listening], daemon=True).start()
        began = time.monotonic()
        with pytest.raises(Again, match="can't be reached"):
            MailNotifier(instance(root, listening.getsockname()[1], tls)).send(OPEN)
    assert secured.is_set()
    assert time.monotonic() - began < 8


def test_the_bound_begins_before_the_lookup(root, monkeypatch):
    """A lookup that took all the time leaves none to send in: an attempt ends before another may be made."""
    assert sessions.WHOLE + sessions.TIMEOUT < CLAIMED
    monkeypatch.setattr(sessions, "WHOLE", 0.2)

    def slow(host: str, timeout: float) -> tuple[str, ...]:
        del host, timeout
        time.sleep(0.3)
        return ("127.0.0.1",)

    monkeypatch.setattr(dial, "Lookups", lambda: slow)
    with mail_server() as server, pytest.raises(Again, match="can't be reached"):
        MailNotifier(instance(root, server.port, "none", password="")).send(OPEN)
    assert server.mails == []


def test_a_host_of_many_addresses_has_time_to_greet(root, monkeypatch):
    """What is shared among the addresses is the time to connect, and not that for answers."""
    monkeypatch.setattr(sessions, "TIMEOUT", 4.0)
    monkeypatch.setattr(dial, "Lookups", lambda: lambda *_: ("127.0.0.1",) * 4)

    def greet(listening: socket.socket) -> None:
        with listening.accept()[0] as taken:
            time.sleep(1.5)
            taken.sendall(b"220 here\r\n")
            while taken.recv(1000):
                taken.sendall(b"554 no mail here\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=greet, args=[listening], daemon=True).start()
        with pytest.raises(Stalled, match="554 no mail here"):
            MailNotifier(instance(root, listening.getsockname()[1], "none", password="")).send(OPEN)


def test_an_address_that_is_refused_is_told(root):
    """The others get the mail once; that it failed for one is said, with the server's answer, and for good."""
    with mail_server() as server:
        server.refused = {"b@example.com": "550 no such user"}
        with pytest.raises(PartlyArrived, match="b@example.com: 550 no such user") as raised:
            MailNotifier(instance(root, server.port, "none", password="")).send(OPEN)
    assert raised.value.code == "SYN738"
    assert "ops@example.com" not in raised.value.message
    assert raised.value.ref == server.mails[0]["Message-ID"]
    assert len(server.mails) == 1
