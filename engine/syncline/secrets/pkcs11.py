"""Secrets in an HSM, as private data objects of a token (PKCS#11). `key` is TOKEN/LABEL.

How to reach the token is in `hsm.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from syncline import hsm
from syncline.model.errors import Stalled
from syncline.model.secret import Secret
from syncline.secrets.contract import Context, Problem, Reference, Unavailable
from syncline.secrets.parts import parse_json, pick

if TYPE_CHECKING:
    import pkcs11


class Pkcs11Provider:
    """`{provider: pkcs11, key: syncline/crm-token}`."""

    name: ClassVar[str] = "pkcs11"

    def __init__(self, context: Context) -> None:
        self._environ = context.environ

    def check(self, reference: Reference) -> Problem | None:
        """Say what is wrong with the reference, or missing of the way to the token. It isn't opened."""
        token, _, label = reference.key.partition("/")
        if not token or not label:
            return Problem("SYN804", "a key must be a token and a label, such as syncline/crm-token")
        try:
            hsm.token(token, self._environ)
        except Stalled as error:
            return Problem(error.code, error.message, error.help)
        return None

    def get(self, reference: Reference) -> Secret:
        """Return the object's value, or the part of it that `path` names."""

        def read(session: pkcs11.Session) -> Secret | Problem:
            from pkcs11 import Attribute

            found = self._objects(session, reference)
            if len(found) != 1:
                return Problem("SYN801", f"the token has {len(found)} data objects of this label, not one")
            try:
                return Secret(bytes(found[0][Attribute.VALUE]).decode())
            except UnicodeDecodeError:
                return Problem("SYN803", "it is not UTF-8 text")

        value = self._token(reference).use(read)
        if isinstance(value, Secret) and reference.path:
            tree = parse_json(value)
            value = tree if isinstance(tree, Problem) else pick(tree, reference.path)
        if isinstance(value, Problem):
            raise Unavailable(reference, value)
        return value

    def put(self, reference: Reference, value: Secret) -> None:
        """Store the value. The new object is there before the old ones go."""

        def write(session: pkcs11.Session) -> None:
            from pkcs11 import Attribute, ObjectClass

            former = self._objects(session, reference)
            session.create_object(
                {
                    Attribute.CLASS: ObjectClass.DATA,
                    Attribute.LABEL: reference.key.partition("/")[2],
                    Attribute.VALUE: value.reveal().encode(),
                    Attribute.TOKEN: True,
                    Attribute.PRIVATE: True,
                }
            )
            for one in former:
                one.destroy()

        self._token(reference).use(write)

    def delete(self, reference: Reference) -> None:
        """Destroy the object."""

        def destroy(session: pkcs11.Session) -> None:
            for one in self._objects(session, reference):
                one.destroy()

        self._token(reference).use(destroy)

    def _token(self, reference: Reference) -> hsm.Token:
        return hsm.token(reference.key.partition("/")[0], self._environ)

    def _objects(self, session: pkcs11.Session, reference: Reference) -> list[Any]:
        from pkcs11 import Attribute, ObjectClass

        label = reference.key.partition("/")[2]
        return list(session.get_objects({Attribute.CLASS: ObjectClass.DATA, Attribute.LABEL: label}))
