"""A real mail server for tests (aiosmtpd): STARTTLS or implicit TLS with a certificate of its own, logins, refusals."""

from __future__ import annotations

import asyncio
import socket
import ssl
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

    from tests.peers.pki import Certificate

USER, PASSWORD = "syncline", "correct horse"


@dataclass
class MailServer:
    """
    A running server; `mails` are what it took. `answers` are sent instead of taking a mail, one after another;
    `refused` are answers to addresses.
    """

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        del server, session, options
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        del server
        if self.answers:
            return self.answers.pop(0)
        self.secured.append(session.ssl is not None)
        self.mails.append(message_from_bytes(envelope.original_content, policy=policy.default))
        return "250 taken"


@contextmanager
def mail_server(
    certificate: Certificate | None = None,
    *,
    implicit: bool = False,
    login: bool = False,
    context: ssl.SSLContext | None = None,
) -> Iterator[MailServer]:
    """Runs a server at a free local port; `context` is its TLS, in the place of what the certificate makes."""
    running = MailServer()
    if certificate is not None and context is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)

    def authenticate(*given: Any) -> AuthResult:
        data = given[-1]
        known = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=known, handled=False)

    class Server(Controller):
        def factory(self) -> SMTP:
            with warnings.catch_warnings():
                # Of logins without STARTTLS it warns also where TLS was there from the start.
                warnings.simplefilter("ignore", UserWarning)
                return self._made()

        def _made(self) -> SMTP:
            return SMTP(
                self.handler, hostname="localhost", enable_SMTPUTF8=True, auth_required=login,
                authenticator=authenticate if login else None, auth_require_tls=certificate is not None and not implicit,
                tls_context=None if implicit else context, require_starttls=context is not None and not implicit,
            )  # fmt: skip

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        running.port = free.getsockname()[1]
    server = Server(running, hostname="127.0.0.1", port=running.port, ssl_context=context if implicit else None)
    server.start()
    try:
        yield running
    finally:
        asyncio.run_coroutine_threadsafe(_ended(server.loop), server.loop).result(10)
        server.stop()


async def _ended(loop: Any) -> None:
    """Ends connections that a client left open, or that wait for its half of the end of TLS: whoever stops the server only
    forgets them, and the garbage collector finds their sockets in some other test's time.
    """
    for transport in list(loop._transports.values()):
        transport.abort()
    await asyncio.sleep(0)  # in which they end
