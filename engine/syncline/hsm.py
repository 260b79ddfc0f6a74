"""Keys in a hardware security module, by PKCS#11 (OASIS, version 2.40): tokens that this process is logged in to.

| variable                | meaning                                                                     |
|-------------------------|-----------------------------------------------------------------------------|
| SYNCLINE_PKCS11_MODULE  | the module's library, such as `/usr/lib/softhsm/libsofthsm2.so`              |
| SYNCLINE_PKCS11_PIN     | the user PIN of its tokens                                                   |

Needs the extra `hsm`. Private keys are made in the token and never leave it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from syncline.model.errors import Stalled
from syncline.model.secret import Secret

if TYPE_CHECKING:
    import pkcs11

T = TypeVar("T")

MODULE: Final = "SYNCLINE_PKCS11_MODULE"
PIN: Final = "SYNCLINE_PKCS11_PIN"

# A PKCS#11 library knows one login for all of a process, so what holds it is the process's as well.
# Whoever uses a token is alone: one that is plugged in late is seen once the library is started anew, for all.
_TOKENS: Final[dict[tuple[str, str], Token]] = {}
_ALONE: Final = threading.RLock()


class Absent(Stalled):
    """The token is there and has no such key. Sessions of a token that was pulled out see none either: look anew."""


def present(found: Iterable[Any]) -> list[Any]:
    """What an action found in a session; PKCS#11's `NoSuchKey` for nothing, so that it is looked for anew."""
    from pkcs11.exceptions import NoSuchKey

    if not (objects := list(found)):
        raise NoSuchKey
    return objects


@dataclass(slots=True)
class Token:
    """A token by its label. Safe for threads, which take turns in a process; it is logged in to at first use."""

    module: str
    label: str
    pin: Secret = field(repr=False)
    _session: Any = field(default=None, init=False, repr=False)

    def use(self, action: Callable[[pkcs11.Session], T]) -> T:
        """What an action does with a session, which is opened anew where it turns out to be lost.

        `Stalled` (SYN821) where the token can't be used: it is gone, locked, or refuses. An action that misses a key
        raises PKCS#11's `NoSuchKey`: it is tried again in a new session, and is `Absent` if that has none.
        """
        from pkcs11 import exceptions as e

        with _ALONE:
            try:
                return action(self._session or self._open())
            except (e.PinIncorrect, e.PinInvalid, e.PinLenRange, e.PinLocked, e.PinExpired) as error:
                raise _told(self.label, error) from None  # another try would bring the token nearer to its lock
            except e.PKCS11Error:
                self.close()
            try:
                self._library().reinitialize()
                return action(self._open())
            except e.PKCS11Error as error:
                self.close()
                raise _told(self.label, error) from None

    def _open(self) -> Any:
        from pkcs11.exceptions import UserAlreadyLoggedIn

        token = self._library().get_token(token_label=self.label)
        try:
            self._session = token.open(user_pin=self.pin.reveal(), rw=True)
        except UserAlreadyLoggedIn:  # by a session that was lost
            self._session = token.open(rw=True)
        return self._session

    def _library(self) -> Any:
        import pkcs11
        from pkcs11.exceptions import PKCS11Error

        try:
            return pkcs11.lib(self.module)
        except PKCS11Error:
            raise Stalled(
                f"the PKCS#11 module {self.module} can't be loaded",
                code="SYN821",
                help=f"Give the path of the module's library in {MODULE}.",
            ) from None

    def close(self) -> None:
        """Ends the session; it is opened again when it is needed."""
        from contextlib import suppress

        from pkcs11.exceptions import PKCS11Error

        session, self._session = self._session, None
        if session is not None:
            with suppress(PKCS11Error):
                session.close()


def token(label: str, environ: Mapping[str, str]) -> Token:
    """
    The token of that label, as the environment says how to reach it.

    `Stalled` (SYN821) without module, PIN, or the extra `hsm`.
    """
    try:
        import pkcs11  # noqa: F401 - whether it is there
    except ImportError:
        raise Stalled(
            "keys in an HSM need the library python-pkcs11",
            code="SYN821",
            help="Install it: pip install 'syncline[hsm]'.",
        ) from None
    for name in (MODULE, PIN):
        if not environ.get(name):
            raise Stalled(f"{name} is not set, so the HSM can't be used", code="SYN821", help=f"Set {name}.")
    with _ALONE:
        found = _TOKENS.get((environ[MODULE], label))
        if found is None or found.pin != Secret(environ[PIN]):
            if found is not None:
                found.close()  # else the new PIN would be believed unseen
            found = _TOKENS[environ[MODULE], label] = Token(environ[MODULE], label, Secret(environ[PIN]))
        return found


def _told(label: str, error: Exception) -> Stalled:
    from pkcs11 import exceptions as e

    match error:
        case e.NoSuchToken() | e.TokenNotPresent() | e.DeviceRemoved() | e.SlotIDInvalid():
            why, remedy = "it isn't there", "Connect it, or start what serves it."
        case e.PinIncorrect() | e.PinInvalid() | e.PinLenRange():
            why, remedy = "the PIN is wrong", f"Set {PIN} to the token's user PIN; several wrong ones lock it."
        case e.PinLocked() | e.PinExpired():
            why, remedy = "its PIN is locked", "The token's security officer can set a new one."
        case e.NoSuchKey():
            why, remedy = "it has no such key", "Restore the key into the token, or use the token that has it."
        case e.MechanismInvalid():
            why, remedy = "it lacks the mechanism", "Use a token with AES-GCM, ECDSA P-256 or EdDSA, as the key needs."
        case _:
            why, remedy = f"it refused ({type(error).__name__})", "See the module's own log."
    kind = Absent if isinstance(error, e.NoSuchKey) else Stalled
    return kind(f"the HSM token {label!r} can't be used: {why}", code="SYN821", help=remedy)
