"""What a Source says of TLS counts when the daemon fetches it: Git against a real server, with certificates of two authorities."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from syncline.daemon.git.declared import open_source
from syncline.kinds.source import SourceSpec
from syncline.manifests.load import load_text
from syncline.manifests.resolve import resolve
from syncline.model.errors import Invalid, SynclineError
from syncline.sdk.http.tls import pin_of
from syncline.settings import read_settings
from tests.e2e.leaving import commit, git
from tests.peers.pki import Authority
from tests.tls_1_2 import old

Fetch = Callable[..., str]


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Says nothing."""


@contextmanager
def _serving(folder: Path, context: ssl.SSLContext) -> Iterator[str]:
    """A repository as files over HTTPS, which Git reads as well; its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(folder)))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://localhost:{server.server_address[1]}/.git"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """That of the server, in the daemon's folder."""
    return Authority(tmp_path / "root")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (folder := tmp_path / "team").mkdir()
    (folder / "sync.yaml").write_text("kind: Sync\n")
    git(folder, "init", "-q", "--initial-branch=main")
    commit(folder, "One")
    subprocess.run(["git", "-C", folder, "update-server-info"], check=True)
    return folder


@pytest.fixture
def fetched(tmp_path: Path, authority: Authority) -> Fetch:
    """Fetches a Source with this `tls`, and gives the commit."""
    assert authority.ca.parent == tmp_path / "root"
    settings = read_settings(tmp_path / "root", {})

    def fetch(url: str, **tls: object) -> str:
        spec = SourceSpec.model_validate({"url": url, "tls": tls, "declares": {"tenants": ("acme",)}})
        return open_source(settings, "team", spec).head()

    return fetch


def _why(call: Callable[[], object]) -> SynclineError:
    with pytest.raises(SynclineError) as caught:
        call()
    return caught.value


def test_its_authorities_are_the_only_ones(
    tmp_path: Path, authority: Authority, repository: Path, fetched: Fetch, monkeypatch: pytest.MonkeyPatch
):
    """A server is known by the file that is named, and by nothing that the environment names besides; each fetch reads the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued = authority.issue("localhost")
    context.load_cert_chain(issued.certificate, issued.key)
    another = Authority(tmp_path / "another")
    renewed = tmp_path / "root" / "renewed.pem"
    with _serving(repository, context) as url:
        nobody = _why(lambda: fetched(url))
        head = fetched(url, ca="ca.crt")
        renewed.write_bytes(another.ca.read_bytes())
        # Both ways of the environment know the server: the Source, which doesn't, is asked.
        monkeypatch.setenv("GIT_SSL_CAINFO", str(authority.ca))
        folder = tmp_path / "authorities"
        folder.mkdir()
        (folder / "ca.pem").write_bytes(authority.ca.read_bytes())
        subprocess.run(["openssl", "rehash", folder], check=True)
        monkeypatch.setenv("GIT_SSL_CAPATH", str(folder))
        assert fetched(url) == head
        stranger = _why(lambda: fetched(url, ca="renewed.pem"))
        renewed.write_bytes(authority.ca.read_bytes())
        assert fetched(url, ca="renewed.pem") == head

    assert (nobody.code, stranger.code) == ("SYN667", "SYN667")
    assert "tls.ca" in nobody.help
    assert len(head) == 40


def test_its_pins_are_the_only_keys(authority: Authority, repository: Path, fetched: Fetch):
    """A server with another key isn't the one that is meant, though an authority vouches for it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued = authority.issue("localhost")
    context.load_cert_chain(issued.certificate, issued.key)
    pin = pin_of(ssl.PEM_cert_to_DER_cert(issued.certificate.read_text()))
    other = f"sha256/{'A' * 43}="
    with _serving(repository, context) as url:
        assert fetched(url, ca="ca.crt", pins=(other, pin)) == fetched(url, ca="ca.crt")
        wrong = _why(lambda: fetched(url, ca="ca.crt", pins=(other,)))

    assert wrong.code == "SYN667"
    assert "tls.pins" in wrong.help


def test_its_oldest_version_counts(
    authority: Authority, repository: Path, fetched: Fetch, monkeypatch: pytest.MonkeyPatch
):
    """TLS 1.2 is spoken where the Source says so, and isn't where it says 1.3, whatever the environment does."""
    with _serving(repository, old(authority.issue("localhost"))) as url:
        assert _why(lambda: fetched(url, ca="ca.crt")).code == "SYN667"
        assert fetched(url, ca="ca.crt", min="1.2")
        monkeypatch.setenv("GIT_SSL_VERSION", "tlsv1.2")
        assert fetched(url, ca="ca.crt")
        assert _why(lambda: fetched(url, ca="ca.crt", min="1.3")).code == "SYN667"


def test_authorities_that_cannot_be_read_are_told(fetched: Fetch):
    """A file that isn't there, or not in the repository, is what is told, before anything is asked of the server."""
    for name in ("none.pem", "../outside.pem"):
        error = _why(partial(fetched, "https://localhost:9/x.git", ca=name))
        assert isinstance(error, Invalid)
        assert (error.code, name in error.message) == ("SYN432", True)


def test_authorities_that_come_later_count(tmp_path: Path, authority: Authority, repository: Path):
    """A Source whose file of authorities isn't there yet is followed once it is, without another apply or a restart."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued = authority.issue("localhost")
    context.load_cert_chain(issued.certificate, issued.key)
    with _serving(repository, context) as url:
        spec = SourceSpec.model_validate({"url": url, "tls": {"ca": "later.pem"}, "declares": {"tenants": ("acme",)}})
        source = open_source(read_settings(tmp_path / "root", {}), "team", spec)
        assert _why(source.head).code == "SYN432"
        (tmp_path / "root" / "later.pem").write_bytes(authority.ca.read_bytes())
        assert len(source.head()) == 40


@pytest.mark.parametrize(("url", "codes"), [("https://git.example/x", []), ("git@git.example:x", ["SYN914"])])
def test_tls_of_a_source_by_ssh_is_refused(url: str, codes: list[str]):
    """`tls` beside another URL than https:// would be believed in, and have no effect."""
    text = f"""
apiVersion: syncline/v1
kind: Source
metadata: {{name: team}}
spec: {{url: "{url}", tls: {{ca: ca.pem}}, declares: {{tenants: [acme]}}}}
"""
    found = resolve([*load_text(text, "source.yaml").manifests])
    told = [*load_text(text, "source.yaml").diagnostics, *found.diagnostics]
    assert [d.code for d in told if d.code == "SYN914"] == codes
