"""How requests are authenticated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.sdk.auth.schemes import scheme

if TYPE_CHECKING:
    from syncline.model.secret import Secret
    from syncline.sdk.http import Request
    from syncline.sdk.source import Credentials


def authenticate(request: Request, credentials: Credentials) -> Request:
    """The request with credentials that don't change.

    >>> from syncline.sdk.http import Request
    >>> from syncline.sdk.source import Credentials
    >>> authenticate(Request("GET", "https://api.example.com/me"), Credentials()).headers
    {}
    """
    import time

    return scheme(credentials).sign(request, time.time())  # type: ignore[union-attr]  # until the client asks for more


def sensitive_parameters(credentials: Credentials) -> frozenset[str]:
    """Names of the query parameters that carry a secret.

    >>> from syncline.sdk.source import Credentials
    >>> sensitive_parameters(Credentials())
    frozenset()
    """
    return scheme(credentials).sensitive


def forms_of_secrets(credentials: Credentials) -> tuple[Secret, ...]:
    """The secrets in every form that they are sent in.

    >>> from syncline.sdk.source import Credentials
    >>> forms_of_secrets(Credentials())
    ()
    """
    return scheme(credentials).hidden
