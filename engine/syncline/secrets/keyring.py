"""Secrets in the operating system's keyring, by the library of that name. `key` is SERVICE/USER.

Needs the extra `keyring`, and a keyring that is open: a server without a session has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from syncline.model.secret import Secret
from syncline.secrets.contract import Context, Problem, Reference, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable


class KeyringProvider:
    """`{provider: keyring, key: crm/robot}`."""

    name: ClassVar[str] = "keyring"

    def __init__(self, context: Context) -> None:
        del context

    def check(self, reference: Reference) -> Problem | None:
        """Say what is wrong with the reference, or that the library isn't there. The keyring isn't opened."""
        service, _, user = reference.key.rpartition("/")
        if not service or not user or reference.path:
            return Problem("SYN804", "a key must be a service and a user, such as crm/robot, and has no path")
        try:
            import keyring  # noqa: F401 - whether it is there
        except ImportError:
            return Problem("SYN825", "the library keyring isn't installed", "pip install 'syncline[keyring]'")
        return None

    def get(self, reference: Reference) -> Secret:
        """Return the password that the keyring has for the user of the service."""
        import keyring

        found = self._try(reference, keyring.get_password)
        if not found:
            raise Unavailable(reference, Problem("SYN801", "the keyring has no such entry"))
        return Secret(str(found))

    def put(self, reference: Reference, value: Secret) -> None:
        """Store the password."""
        import keyring

        self._try(reference, lambda service, user: keyring.set_password(service, user, value.reveal()))

    def delete(self, reference: Reference) -> None:
        """Forget the password."""
        import keyring

        self._try(reference, keyring.delete_password)

    def _try(self, reference: Reference, use: Callable[[str, str], object]) -> object:
        service, _, user = reference.key.rpartition("/")
        try:
            return use(service, user)
        except Exception as error:  # backends raise what their platform does, and its text may quote a value
            problem = Problem(
                "SYN825", f"the keyring can't be used ({type(error).__name__})", "Unlock it, or name one."
            )
            raise Unavailable(reference, problem) from None
