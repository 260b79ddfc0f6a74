"""A session with a mail server (RFC 5321): connected to an address that may be reached, TLS verified, logged in.

The standard library speaks the protocol; the socket is ours, so that what is connected to is what was checked, and so
is the bound on how long all of it may take.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct

from syncline.connectors.tls import tls_of
from syncline.model.errors import Again, Stalled
from syncline.model.secret import Secret
from syncline.sdk.dial import dialled
from syncline.sdk.http import Spoken, Tls, TransportError, context_of
from syncline.sdk.http.tls import refused, spoken
from syncline.sdk.reached import Reached

if TYPE_CHECKING:
    from syncline.sdk.source import Instance

#: Seconds for one answer of the server, and for a whole session with the lookup: less than an attempt is claimed for.
TIMEOUT: Final = 20.0
WHOLE: Final = 60.0
_HELP: Final = "Look at host, port and tls of the integration, and at the server's log."

_OLDER: Final = 'One that knows no TLS 1.3 needs tls: {min: "1.2"} in the integration. ' + _HELP


class Settings(Struct, frozen=True):
    """Where and how mail is handed over, and as whom."""

    host: str
    port: int
    start: Literal["starttls", "implicit", "none"]
    username: str
    password: Secret | None
    tls: Tls

    @classmethod
    def of(cls, instance: Instance) -> Settings:
        """From an integration's settings and credentials."""
        config, credentials = instance.config, instance.credentials
        named = credentials.secrets.get("username")
        return cls(
            str(config["host"]),
            int(str(config["port"])),
            config["tls"],  # type: ignore[arg-type]  # one of the connector's enum
            named.reveal() if named is not None else str(credentials.settings.get("username", "")),
            credentials.secrets.get("password"),
            tls_of(instance),
        )


class _Smtp(smtplib.SMTP):
    """The library's client over a socket that is open already; `host` is what a certificate must be for."""

    def __init__(self, sock: socket.socket, host: str) -> None:
        self._ready = sock
        address = sock.getsockname()[0]
        name = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
        super().__init__(local_hostname=name, timeout=TIMEOUT)  # a name of ours would have to be looked up
        self._host = host

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        del host, port, timeout
        return self._ready


@contextmanager
def session(instance: Instance) -> Iterator[smtplib.SMTP]:
    """
    A session for the time of the block. Raises `Denied` for an address out of bounds, `Again` for what may pass, and
    `Stalled` for what a person has to change: no TLS, a certificate that isn't its own, a login that is refused.
    """
    settings = Settings.of(instance)
    with _translated(settings):
        end = time.monotonic() + WHOLE
        sock = dialled(instance, settings.host, settings.port, TIMEOUT)
        # However slowly answers trickle, the session ends. TLS takes the socket itself away, but not its duplicate.
        handle = sock.dup()
        timer = threading.Timer(max(0.0, end - time.monotonic()), _cut, [handle])
        timer.daemon = True
        timer.start()
        try:
            if time.monotonic() >= end:
                raise TimeoutError
            smtp = _Smtp(_secured(sock, settings) if settings.start == "implicit" else sock, settings.host)
            try:
                smtp.connect(settings.host, settings.port)
                smtp.ehlo_or_helo_if_needed()
                if settings.start == "starttls":
                    smtp.starttls(context=context_of(settings.tls))
                    smtp.ehlo_or_helo_if_needed()
                if settings.password is not None:
                    smtp.login(settings.username, settings.password.reveal())
                yield smtp
            finally:
                with suppress(smtplib.SMTPException, OSError):
                    smtp.quit()
                smtp.close()
        finally:
            timer.cancel()
            handle.close()
            sock.close()


def check(instance: Instance) -> Reached:
    """What answers, and over which TLS."""
    began = time.perf_counter()
    with session(instance) as smtp:
        tls: Spoken | None = spoken(smtp.sock) if isinstance(smtp.sock, ssl.SSLSocket) else None
        smtp.noop()
    settings = Settings.of(instance)
    place = f"{settings.host}:{settings.port}: takes mail"
    identity = settings.username if settings.password is not None else ""
    return Reached(place, "SMTP", time.perf_counter() - began, identity=identity, tls=tls)


def _secured(sock: socket.socket, settings: Settings) -> socket.socket:
    return context_of(settings.tls).wrap_socket(sock, server_hostname=settings.host)


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def _translated(settings: Settings) -> Iterator[None]:
    """The library's errors as ours; what the server says is told, as it is about this machine and not about data."""
    at = f"{settings.host}:{settings.port}"
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        help_ = "Look at the AuthConfig: user name and password, or an app password where one is demanded."
        raise Stalled(
            f"{at}: the login is refused ({said(error.smtp_code, error.smtp_error)})", code="SYN401", help=help_
        ) from error
    except smtplib.SMTPNotSupportedError as error:
        raise Stalled(f"{at}: {error}", code="SYN736", help=_HELP) from error
    except smtplib.SMTPRecipientsRefused as error:
        address, (code, text) = next(iter(error.recipients.items()))
        raise _refused(f"{at}: {address}", code, text) from error
    except smtplib.SMTPResponseException as error:
        raise _refused(at, error.smtp_code, error.smtp_error) from error
    except ssl.SSLCertVerificationError as error:
        help_ = "The certificate must be for the host that is named; `tls.ca` names the authorities of a private one."
        raise Stalled(f"{at}: certificate refused: {error.verify_message}", code="SYN736", help=help_) from error
    except TransportError as error:  # a key that isn't pinned
        raise Stalled(f"{at}: {error}", code=error.code, help=error.help) from error
    except ssl.SSLError as error:
        why = refused(error) or error.reason
        raise Stalled(f"{at}: no TLS: {why}", code="SYN736", help=_OLDER) from error
    except (smtplib.SMTPException, OSError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise Again(f"{at} can't be reached: {why}", code="SYN736", help=_HELP) from error


def _refused(what: str, code: int, text: Any) -> Again | Stalled:
    told = f"{what}: the server answers {said(code, text)}"
    if 500 <= code < 600:
        return Stalled(told, code="SYN738", help="Look at the addresses of the subscription, and at `from`.")
    return Again(told, code="SYN736", help=_HELP)


def said(code: int, text: Any) -> str:
    """What a server answered, in one line."""
    shown = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    return f"{code} {' '.join(shown.split())[:200]}"
