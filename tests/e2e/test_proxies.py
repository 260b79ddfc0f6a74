"""A sync through an HTTP proxy, by the command line: declared, refused, and not taken from the environment in silence."""

from __future__ import annotations

from base64 import b64encode

import pytest

from tests import repository
from tests.api_server import api_server, pages
from tests.e2e.api import TICKETS, helpdesk, syncline
from tests.proxy_server import proxy_server

RECORDS = [{"id": n, "title": f"T{n}", "hours": 1} for n in range(1, 8)]
CANARY = "proxy-canary-4711"
KNOWN = "Basic " + b64encode(f"alice:{CANARY}".encode()).decode()


def refuse(asked):
    return 0 if asked.headers.get("proxy-authorization") == KNOWN else 407


@pytest.fixture
def house(tmp_path):
    with api_server(pages(RECORDS, 3, "cursor")) as api, proxy_server(refuse) as proxy:
        texts = helpdesk(api.url)
        password = "password: {secretRef: {provider: env, key: PROXY_PASSWORD}}"
        declared = f"proxy: {{url: 'http://127.0.0.1:{proxy.port}', username: alice, {password}}}"
        texts["sync.yaml"] = texts["sync.yaml"].replace("helpdesk@^1,", f"helpdesk@^1, {declared},")
        repository.write(tmp_path, texts)
        yield tmp_path, api, proxy


def test_a_sync_goes_through_a_declared_proxy(house):
    """The plan tells of the proxy, every request goes through it, and its password is shown nowhere."""
    root, api, proxy = house
    extra = {"PROXY_PASSWORD": CANARY}

    plan = syncline(root, "plan", extra=extra)
    applied = syncline(root, "apply", "--yes", extra=extra)
    ran = syncline(root, "run", TICKETS, extra=extra)
    checked = syncline(root, "connector", "check", "acme/helpdesk", extra=extra)

    assert "127.0.0.1 is newly contacted, by helpdesk" in plan.stdout
    assert (applied.returncode, ran.returncode, checked.returncode) == (0, 0, 0), applied.stderr + ran.stderr
    assert "7 " in ran.stdout
    assert f"through the proxy 127.0.0.1:{proxy.port}" in checked.stdout
    assert len(api.asked) == len(proxy.asked) == 4
    shown = [text for done in (plan, applied, ran, checked) for text in (done.stdout, done.stderr)]
    files = [path.read_bytes() for path in root.rglob("*") if path.is_file()]
    assert not any(CANARY in text for text in shown)
    assert not any(CANARY.encode() in data for data in files)


def test_a_refused_password_is_the_proxys_error(house):
    """A wrong password ends the run with the proxy's code; the API is never asked, and nothing is tried again."""
    root, api, proxy = house
    extra = {"PROXY_PASSWORD": "wrong-canary-4711"}
    assert syncline(root, "apply", "--yes", extra=extra).returncode == 0

    ran = syncline(root, "run", TICKETS, extra=extra)

    assert ran.returncode != 0
    assert "SYN540" in ran.stderr
    assert "wrong-canary" not in ran.stderr + ran.stdout
    assert api.asked == []
    assert len(proxy.asked) == 1


def test_an_undeclared_proxy_is_not_used(tmp_path):
    """HTTP_PROXY of the machine leads no request anywhere, unless the operator has it count."""
    with api_server(pages(RECORDS, 3, "cursor")) as api, proxy_server() as proxy:
        repository.write(tmp_path, helpdesk(api.url))
        extra = {"HTTP_PROXY": f"http://127.0.0.1:{proxy.port}", "NO_PROXY": ""}
        assert syncline(tmp_path, "apply", "--yes", extra=extra).returncode == 0
        assert syncline(tmp_path, "run", TICKETS, extra=extra).returncode == 0
        assert (len(api.asked), proxy.connections) == (3, 0)
