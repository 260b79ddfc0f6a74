"""TLS as a client speaks it: 1.3 with the machine's authorities, unless something else is declared for an API."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

from syncline.model.errors import Invalid, Stalled
from syncline.model.secret import Secret
from syncline.model.tls import OLDEST, Oldest
from syncline.sdk.http.message import TransportError
from syncline.sdk.http.nested import NestedTls

_REFUSED: Final = {
    "UNSUPPORTED_PROTOCOL": "the server doesn't speak TLS 1.3",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server doesn't speak TLS 1.3",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server asks for a client certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server refuses the TLS handshake",
}


@dataclass(frozen=True, slots=True)
class Tls:
    """How connections are secured: the oldest version spoken, the only authorities trusted (PEM; empty: the machine's),
    the client's own certificate (PEM, with its chain) and key, for servers that ask for one, and the only keys that the
    server's certificate may have (`sha256/…`, see `pin_of`; empty: any).

    Two are equal, and may share connections, if their versions, authorities and certificates are.

    >>> Tls().minimum
    '1.3'
    >>> Tls(key=Secret("-----BEGIN PRIVATE KEY-----"))
    Tls(minimum='1.3', ca='', chain='', pins=())
    """

    minimum: Oldest = OLDEST
    ca: str = ""
    chain: str = ""
    key: Secret | None = field(default=None, compare=False, repr=False)
    pins: tuple[str, ...] = ()


class Spoken(Struct, frozen=True):
    """What a TLS connection turned out to be: `TLSv1.3`, its cipher suite, who issued the server's certificate, and the
    certificate's last day (ISO 8601); '' where it isn't known.

    >>> Spoken("TLSv1.3", "TLS_AES_256_GCM_SHA384", "Example CA", "2027-01-31").version
    'TLSv1.3'
    """

    version: str
    cipher: str
    issuer: str = ""
    expires: str = ""


def spoken(sock: ssl.SSLSocket | NestedTls) -> Spoken:
    """What an open connection turned out to be. Example: `spoken(context.wrap_socket(sock, server_hostname=host))`."""
    found = sock.getpeercert()
    certificate: dict[str, Any] = dict(found) if isinstance(found, dict) else {}
    cipher = sock.cipher()
    expires = str(certificate.get("notAfter", ""))
    day = dt.datetime.fromtimestamp(ssl.cert_time_to_seconds(expires), dt.UTC).date().isoformat() if expires else ""
    names = {name: value for part in certificate.get("issuer", ()) for name, value in part}
    issuer = str(names.get("organizationName") or names.get("commonName") or "")
    return Spoken(sock.version() or "", cipher[0] if cipher else "", issuer, day)


def refused(error: ssl.SSLError) -> str:
    """What a handshake failed of that a person has to change, in words; '' where it is something else.

    >>> refused(ssl.SSLError(1, "no route"))
    ''
    """
    return _REFUSED.get(getattr(error, "reason", None) or "", "")


def pin_of(certificate: bytes) -> str:
    """The pin of a certificate's key: `sha256/` and the base64 of the SHA-256 of its SPKI (RFC 7469), from DER.

    A certificate that is renewed with the same key keeps it. Example: `pin_of(sock.getpeercert(binary_form=True))`.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509 import load_der_x509_certificate

    key = load_der_x509_certificate(certificate).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return "sha256/" + base64.b64encode(digest).decode()


def check_pins(sock: ssl.SSLSocket | NestedTls, pins: tuple[str, ...], host: str, setting: str = "tls") -> None:
    """
    Refuses (`TransportError`, SYN833) a server whose certificate was issued rightly, and has a key that isn't expected.
    `setting` is what messages say to look at.

    Example: `check_pins(sock, ("sha256/…",), "api.example.com")` right after the handshake.
    """
    certificate = sock.getpeercert(binary_form=True) if pins else None
    found = pin_of(certificate if isinstance(certificate, bytes) else b"") if pins else ""
    if pins and found not in pins:
        raise TransportError(
            f"the certificate of {host} has the key {found}, which isn't one that is pinned",
            "connection",
            permanent=True,
            code="SYN833",
            help=f"If the server's key was changed on purpose, add it to {setting}.pins; else somebody is in between.",
            unsent=True,
        )


@lru_cache(maxsize=512)
def context_of(tls: Tls, setting: str = "tls") -> ssl.SSLContext:
    """
    The context that says so, pins included: the sockets that it wraps look at the server's key themselves.
    Kept: reading the machine's authorities takes tens of milliseconds.

    `setting` is what messages say to look at.
    `Invalid` for authorities that can't be read, `Stalled` for a certificate or key that can't.

    >>> context_of(Tls()).minimum_version.name
    'TLSv1_3'
    """
    try:
        context = ssl.create_default_context(cadata=tls.ca or None)
    except (ssl.SSLError, ValueError) as error:
        raise Invalid(
            "the declared certificate authorities can't be read",
            code="SYN432",
            help=f"{setting}.ca names a file with certificates in PEM form.",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2 if tls.minimum == "1.2" else ssl.TLSVersion.TLSv1_3
    if tls.chain:
        _present(context, tls.chain, tls.key)
    if tls.pins:
        context.sslsocket_class = _pinned(tls.pins, setting)
    return context


def _pinned(pins: tuple[str, ...], setting: str) -> type[ssl.SSLSocket]:
    """A socket whose handshake isn't over before the server's key was found among these."""

    class Pinned(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            try:
                check_pins(self, pins, str(self.server_hostname), setting)
            except TransportError:
                self.close()
                raise

    return Pinned


def _present(context: ssl.SSLContext, chain: str, key: Secret | None) -> None:
    with private_file((chain.rstrip() + "\n" + (key.reveal() if key else "")).encode()) as path:
        try:
            # Never asks a terminal for the password of an encrypted key.
            context.load_cert_chain(path, password=lambda: b"")
        except (ssl.SSLError, OSError, ValueError) as error:
            raise Stalled(
                "the client certificate or its key can't be used",
                code="SYN401",
                help="Both are expected in PEM form, belonging together, the key without a password.",
            ) from error


@contextmanager
def private_file(content: bytes) -> Iterator[str]:
    """
    A file for the time of the block that only this process can read: OpenSSL and libpq take keys only from files.

    Example: `with private_file(pem.encode()) as path: context.load_cert_chain(path)`.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("syncline", os.MFD_CLOEXEC)
        try:
            os.fchmod(descriptor, 0o600)  # libpq looks
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile() as file:  # mode 600
        file.write(content)
        file.flush()
        yield file.name
