"""The mail server of tests ends with its block, connections that a client left open included."""

from __future__ import annotations

import gc
import smtplib
import warnings

import pytest

from tests.mail_server import mail_server
from tests.peers.pki import Authority


@pytest.mark.parametrize("last", ["noop", "quit"])
@pytest.mark.parametrize("implicit", [True, False], ids=["implicit", "starttls"])
def test_what_a_client_left_open_is_closed(tmp_path, implicit, last):
    """No socket of the server's is left to the garbage collector, whether it or the client had to end TLS next."""
    authority = Authority(tmp_path)
    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always")
        with mail_server(authority.issue("localhost"), implicit=implicit) as server:
            if implicit:
                client: smtplib.SMTP = smtplib.SMTP_SSL("localhost", server.port, context=authority.context())
            else:
                client = smtplib.SMTP("localhost", server.port)
                client.starttls(context=authority.context())
            client.docmd(last)
        client.close()
        gc.collect()
    assert [str(one.message) for one in left if issubclass(one.category, ResourceWarning)] == []
