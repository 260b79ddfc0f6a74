"""A daemon's process, and a witness's, that listen by HTTPS with a certificate of an authority of their own."""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from http.client import HTTPConnection, HTTPSConnection

import pytest

from tests.e2e import house
from tests.e2e.daemon import Remote, serving
from tests.peers.pki import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


def test_probes_and_webhooks_are_answered_by_https_alone(authority, tmp_path):
    """Both listeners of a daemon show the certificate, whose end is told once; who asks in the clear isn't answered."""
    (root := tmp_path / "root").mkdir()
    remote = Remote(tmp_path)
    remote.push(house.Scenario("upsert").texts)
    issued = authority.issue("localhost", timedelta(days=-3), timedelta(hours=5))
    issued.key.chmod(0o600)
    options = ["--health", "127.0.0.1:0", "--hook", "127.0.0.1:0"]
    files = ["--tls-cert", str(issued.certificate), "--tls-key", str(issued.key)]
    with serving(root, remote, *options, *files) as daemon:
        probes = daemon.says("probes at https://").partition("probes at ")[2].split()[0]
        hooks = daemon.says("of schedules at https://").partition("schedules at ")[2].split("/TENANT")[0]
        daemon.says("is applied")
        port = int(probes.split(":")[2].split("/")[0])
        assert asked(port, "GET", "/healthz", authority.context())[0] == 200
        metrics = asked(port, "GET", "/metrics", authority.context())[1].decode()
        (end,) = re.findall(r"^syncline_certificate_end_timestamp_seconds (\S+)$", metrics, re.MULTILINE)
        assert abs(float(end) - time.time() - 5 * 3600) < 600
        (told,) = [line for line in daemon.said if "SYN918" in line]
        assert f"the certificate in {issued.certificate} ends in 5 h, at " in told
        assert (
            asked(int(hooks.split(":")[2].split("/")[0]), "POST", "/hook/acme/nothing", authority.context())[0] == 401
        )
        with pytest.raises(ssl.SSLCertVerificationError):
            asked(port, "GET", "/healthz", ssl.create_default_context())
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        with closing(connection):
            connection.request("GET", "/healthz")
            with pytest.raises((ConnectionError, TimeoutError)):
                connection.getresponse()


def asked(port, method, path, context):
    """Status and body of an answer by HTTPS."""
    connection = HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
    with closing(connection):
        connection.request(method, path, body=b"{}" if method == "POST" else None)
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.mark.parametrize("command", ["serve", "witness"])
def test_nothing_starts_with_a_key_that_others_may_read(authority, tmp_path, command):
    """A daemon, and a witness, say what is wrong with the key, and what to do, and end."""
    issued = authority.issue("localhost")
    issued.key.chmod(0o644)
    words = ["--root", str(tmp_path), "serve", "--health", "127.0.0.1:0"]
    if command == "witness":
        log = "syncline/b148c2c6-b140-4316-825a-509bd5c97102+706a456d+ARDlMcebkRo5HW8WiRYxSVRlafzNifqmjkef13NoKPGh"
        words = ["witness", "serve", "--folder", str(tmp_path / "w"), "--name", "w.example/w1", "--log", log]
    files = ["--tls-cert", str(issued.certificate), "--tls-key", str(issued.key)]
    house.build(tmp_path, house.Scenario("upsert").texts)
    done = subprocess.run(
        [sys.executable, "-m", "syncline", *words, *files], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert f"error[SYN697]: {issued.key} is open to others" in done.stderr
    assert f"chmod 600 {issued.key}" in done.stderr
