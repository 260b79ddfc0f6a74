"""Every way of authenticating, in one list. To add one: a file beside this one, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from syncline.model.errors import Invalid
from syncline.sdk.auth.anonymous import Anonymous
from syncline.sdk.auth.api_key import api_key
from syncline.sdk.auth.basic import basic
from syncline.sdk.auth.bearer import bearer
from syncline.sdk.auth.hmac_signature import hmac_signature
from syncline.sdk.auth.http_signature import http_signature
from syncline.sdk.auth.jwt import self_signed
from syncline.sdk.auth.oauth1 import oauth1
from syncline.sdk.auth.oauth2 import oauth2
from syncline.sdk.auth.session import session
from syncline.sdk.auth.sigv4 import aws_sigv4

if TYPE_CHECKING:
    from syncline.sdk.auth.grant import Granted
    from syncline.sdk.auth.scheme import Scheme
    from syncline.sdk.source import Credentials

Builder: TypeAlias = "Callable[[Credentials], Scheme | Granted]"

SCHEMES: Mapping[str, Builder] = {
    "none": lambda _: Anonymous(),
    "api_key": api_key,
    "basic": basic,
    "bearer": bearer,
    "oauth2": oauth2,
    "oauth1": oauth1,
    "session": session,
    "aws_sigv4": aws_sigv4,
    "hmac": hmac_signature,
    "http_signature": http_signature,
    "jwt": self_signed,
    "mtls": lambda _: Anonymous(),
}


def scheme(credentials: Credentials) -> Scheme | Granted:
    """The scheme of an AuthConfig's type. Raises `Invalid` for a type that isn't known, `Stalled` for missing secrets.

    >>> from syncline.sdk.source import Credentials
    >>> type(scheme(Credentials())).__name__
    'Anonymous'
    """
    build = SCHEMES.get(credentials.type)
    if build is None:
        raise Invalid(
            f"the rest runtime cannot authenticate with {credentials.type}",
            code="SYN441",
            help=f"Use one of {', '.join(SCHEMES)}.",
        )
    return build(credentials)
