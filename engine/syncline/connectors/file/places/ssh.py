"""A connection by SSH to a server that is known by its key, for the account of an AuthConfig."""

from __future__ import annotations

import base64
import binascii
import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from syncline.model.errors import Again, Stalled
from syncline.sdk.auth.scheme import known, need
from syncline.sdk.dial import dialled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import paramiko

    from syncline.sdk.source import Credentials, Instance

#: Seconds for connecting, for each step of logging in, and for each answer.
TIMEOUT: Final = 60.0
#: How servers sign with a key of a type, best first, where that isn't named as the type.
_SIGNED: Final[Mapping[str, tuple[str, ...]]] = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


def connected(instance: Instance, host: str, port: int) -> tuple[paramiko.Transport, paramiko.SFTPClient]:
    """
    A connection to a server, and SFTP over it; both are the caller's to close.

    Raises `Stalled` for a key that isn't declared (SYN563), for credentials that are refused (SYN401) and for a key
    that can't be read (SYN564), `Denied` for an address out of bounds, and `Again` for what may pass.
    """
    try:
        import paramiko
        from paramiko.ssh_exception import IncompatiblePeer
    except ImportError:
        raise Stalled(
            "reading from SFTP needs the package paramiko, which isn't installed",
            code="SYN716",
            help="Install syncline with it: pip install 'syncline[sftp]'.",
        ) from None
    keys = _host_keys(instance)
    transport: paramiko.Transport | None = None
    with _telling(f"{host}:{port}"):
        sock = dialled(instance, host, port, TIMEOUT)
        try:
            transport = paramiko.Transport(sock)
            options = transport.get_security_options()
            wanted = [name for kind in keys.values() for name in _SIGNED.get(kind, (kind,))]
            options.key_types = tuple(name for name in dict.fromkeys(wanted) if name in options.key_types)
            transport.start_client(timeout=TIMEOUT)
            shown = transport.get_remote_server_key()
            if shown.asbytes() not in keys:
                raise _unknown(f"{host}:{port}", shown)
            _log_in(transport, instance.credentials)
            transport.set_keepalive(30)
            client = paramiko.SFTPClient.from_transport(transport)
            assert client is not None
            channel = client.get_channel()
            assert channel is not None
            channel.settimeout(TIMEOUT)
            return transport, client
        except BaseException as error:
            if transport is not None:
                transport.close()
            sock.close()
            if isinstance(error, IncompatiblePeer):
                raise Stalled(
                    f"{host}:{port} has no key of the types in config.hostKeys, or no cipher in common",
                    code="SYN563",
                    help="Compare `ssh-keyscan` with config.hostKeys.",
                ) from None
            raise


def _host_keys(instance: Instance) -> dict[bytes, str]:
    """The declared keys of the server, and their types."""
    found: dict[bytes, str] = {}
    for line in str(instance.config.get("hostKeys", "")).splitlines():
        words = line.split()
        # As in known_hosts, where a name stands before the type, or without it.
        start = next((i for i, word in enumerate(words[:2]) if word.startswith(("ssh-", "ecdsa-", "sk-"))), None)
        if not words or line.lstrip().startswith("#"):
            continue
        try:
            assert start is not None
            found[base64.b64decode(words[start + 1], validate=True)] = words[start]
        except (AssertionError, IndexError, binascii.Error):
            raise Stalled(
                f"{instance.name}: config.hostKeys has a line that is no key: {line[:60]!r}",
                code="SYN564",
                help="A line is a type and a key: ssh-ed25519 AAAAC3…",
            ) from None
    if not found:
        raise Stalled(
            f"{instance.name}: config.hostKeys is empty, so that the server can't be known",
            code="SYN564",
            help="Ask the server's operator for its key, and compare it with what ssh-keyscan shows.",
        )
    return found


def _unknown(where: str, key: paramiko.PKey) -> Stalled:
    return Stalled(
        f"{where} shows the key {key.fingerprint} ({key.get_name()}), which config.hostKeys doesn't have",
        code="SYN563",
        help="Somebody may stand between. If the operator confirms the fingerprint, add the key: "
        f"{key.get_name()} {key.get_base64()}",
    )


def _log_in(transport: paramiko.Transport, credentials: Credentials) -> None:
    username = known(credentials, "username")
    if credentials.type == "ssh":
        transport.auth_publickey(username, _private_key(credentials))
    else:
        transport.auth_password(username, need(credentials, "password").reveal(), fallback=False)
    if not transport.is_authenticated():
        raise Stalled(
            "the server asks for another proof besides",
            code="SYN401",
            help="A key or a password alone must be enough for the account.",
        )


def _private_key(credentials: Credentials) -> paramiko.PKey:
    import paramiko

    text = need(credentials, "private_key").reveal()
    passphrase = credentials.secrets.get("passphrase")
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text), passphrase.reveal() if passphrase is not None else None)
        except (paramiko.SSHException, ValueError, IndexError):
            continue
    raise Stalled(
        "the private key of the AuthConfig can't be read, or its passphrase is another",
        code="SYN564",
        help="Give the text of the file that ssh-keygen writes: ed25519, ECDSA or RSA.",
    )


@contextmanager
def _telling(where: str) -> Iterator[None]:
    import paramiko

    try:
        yield
    except paramiko.AuthenticationException:
        raise Stalled(
            f"{where}: the login is refused",
            code="SYN401",
            help="Look at the AuthConfig: user name, key or password, and at what the server lets the account do.",
        ) from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise Again(
            f"{where} can't be reached: {str(error) or type(error).__name__}",
            code="SYN402",
            help="Look at config.root, and at the server's log.",
        ) from error
