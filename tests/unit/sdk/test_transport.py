"""The transport under threads, slow names, old TLS and bombs; and what many clients of one process share."""

from __future__ import annotations

import gzip
import ssl
import subprocess
import threading
import time
import tracemalloc

import pytest

from syncline.model.errors import Invalid
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Lookups, Request, Tls, TransportError, pin_of
from tests.api_server import Reply, api_server
from tests.unit.sdk.test_http import certificate, server_context

LOCAL = Egress(private=("127.0.0.0/8",))


def transport(**how):
    return HttpTransport(SystemClock(), how.pop("max_body", 1 << 20), egress=LOCAL, **how)


def test_threads_share_a_transport():
    """Each thread gets the answer to what it asked, also to what it had sent ahead, over connections that are kept."""
    wrong: list[object] = []
    with api_server(lambda asked: Reply({"path": asked.path})) as api:
        client = transport()

        def ask(name):
            for number in range(20):
                request = Request("GET", f"{api.url}/{name}/{number}")
                if number % 2:
                    client.ahead(request, 60.0)
                body = client.send(request, 60.0).body
                if body != f'{{"path": "/{name}/{number}"}}'.encode():
                    wrong.append(body)

        threads = [threading.Thread(target=ask, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.close()
    assert wrong == []
    assert len(api.asked) == 160


def test_closing_ends_what_waits():
    """A request that waits for its answer fails when its transport is closed; nothing is sent after that."""
    release, failed = threading.Event(), []
    with api_server(lambda _: Reply({"ok": release.wait(120)})) as api:
        client = transport()

        def ask():
            try:
                client.send(Request("GET", api.url), 300.0)
            except TransportError as error:
                failed.append(str(error))

        thread = threading.Thread(target=ask)
        thread.start()
        while not api.asked:
            time.sleep(0.01)
        client.close()
        thread.join(100)
        release.set()
        with pytest.raises(TransportError, match="closed"):
            client.send(Request("GET", api.url), 60.0)
    assert failed == ["the client was closed while it asked"]


def test_a_slow_name_meets_the_deadline():
    """Looking a host up counts for the request's time: a resolver that hangs holds nobody longer."""
    release = threading.Event()

    class Hanging(Lookups):
        def _run(self, host, flight):
            release.wait(300)
            super()._run(host, flight)

    client = transport(lookup=Hanging())
    began = time.monotonic()
    with pytest.raises(TransportError) as caught:
        client.send(Request("GET", "http://hangs.invalid/"), 0.5)
    took = time.monotonic() - began
    release.set()
    client.close()
    assert caught.value.kind == "timeout"
    assert 0.45 <= took <= 1.5


def test_the_same_name_is_looked_up_once_at_a_time():
    """Fifty clients of one host ask the resolver once, or hardly more, and all hear what it said."""
    runs, ready = [], threading.Barrier(50, timeout=120)

    class Counted(Lookups):
        def _run(self, host, flight):
            runs.append(host)
            time.sleep(0.2)
            super()._run(host, flight)

    lookups, found = Counted(), []

    def ask():
        ready.wait()
        found.append(lookups("localhost", 120.0))

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 50
    assert all("127.0.0.1" in addresses or "::1" in addresses for addresses in found)
    assert len(runs) < 10


def test_tls_1_2_must_be_declared(tmp_path):
    """A server that speaks nothing newer than TLS 1.2 is refused, for good and in words, unless 1.2 is declared."""
    pem = certificate(tmp_path)
    context = server_context(pem)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    ca = pem.read_text().partition("-----BEGIN PRIVATE")[0]
    with api_server(lambda _: Reply({}), context) as api:
        strict, declared = transport(tls=Tls(ca=ca)), transport(tls=Tls("1.2", ca))
        with pytest.raises(TransportError, match=r"doesn't speak TLS 1\.3") as caught:
            strict.send(Request("GET", api.url), 60.0)
        assert declared.send(Request("GET", api.url), 60.0).status == 200
        strict.close()
        declared.close()
    assert (caught.value.permanent, caught.value.code) == (True, "SYN468")


def test_a_pinned_key_is_the_only_one(tmp_path):
    """A server that an authority vouches for and that has another key gets not a byte; one of several pins is enough."""
    pem = certificate(tmp_path)
    ca = pem.read_text().partition("-----BEGIN PRIVATE")[0]
    own, other = pin_of(ssl.PEM_cert_to_DER_cert(ca)), "sha256/" + "A" * 43 + "="
    asked = []

    def answer(request):
        asked.append(request)
        return Reply({})

    with api_server(answer, server_context(pem)) as api:
        right, wrong = transport(tls=Tls(ca=ca, pins=(other, own))), transport(tls=Tls(ca=ca, pins=(other,)))
        assert right.send(Request("GET", api.url), 60.0).status == 200
        with pytest.raises(TransportError, match="isn't one that is pinned") as caught:
            wrong.send(Request("GET", api.url), 60.0)
        right.close()
        wrong.close()
    assert (caught.value.permanent, caught.value.code, caught.value.unsent) == (True, "SYN833", True)
    assert len(asked) == 1


def test_a_pin_is_what_openssl_prints(tmp_path):
    """The pin of a certificate is the digest that the page on limits has openssl compute."""
    pem = certificate(tmp_path)
    command = (
        f"openssl x509 -in {pem} -pubkey -noout | openssl pkey -pubin -outform der"
        " | openssl dgst -sha256 -binary | base64 | sed 's,^,sha256/,'"
    )
    said = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True).stdout.strip()

    assert pin_of(ssl.PEM_cert_to_DER_cert(pem.read_text().partition("-----BEGIN PRIVATE")[0])) == said


def test_a_client_certificate_is_presented(tmp_path):
    """A server that asks for a certificate gets it, and refuses, for good, who has none; keys are never shown."""
    from syncline.model.secret import Secret

    pem = certificate(tmp_path)
    chain, _, key = pem.read_text().partition("-----BEGIN PRIVATE")
    context = server_context(pem)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(pem)
    with api_server(lambda _: Reply({}), context) as api:
        known = Tls(ca=chain, chain=chain, key=Secret("-----BEGIN PRIVATE" + key))
        with_it, without = transport(tls=known), transport(tls=Tls(ca=chain))
        assert with_it.send(Request("GET", api.url), 60.0).status == 200
        with pytest.raises(TransportError):
            without.send(Request("GET", api.url), 60.0)
        with_it.close()
        without.close()
    assert "PRIVATE" not in repr(known)


@pytest.mark.parametrize("max_body", [1 << 20, 1 << 30])
def test_a_bomb_grows_no_more_than_its_bound(max_body):
    """300 MB in 300 kB are refused before they have grown, by size or by how well they packed."""
    bomb = gzip.compress(bytes(300_000_000), compresslevel=6)
    assert len(bomb) < 400_000
    with api_server(lambda _: Reply(bomb, headers={"Content-Encoding": "gzip"})) as api:
        client = transport(max_body=max_body)
        tracemalloc.start()
        with pytest.raises(Invalid) as caught:
            client.send(Request("GET", api.url), 30.0)
        grown = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        client.close()
    assert caught.value.code == "SYN407"
    assert grown < 64 << 20
