"""Ending tokens at the server that gave them (RFC 7009)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from syncline.sdk.http import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncline.sdk.auth.client_authentication import ClientAuthentication
    from syncline.sdk.auth.tokens import Token


def revocations(client: ClientAuthentication, url: str, token: Token, now: float) -> Iterator[Request]:
    """Requests that end a token: its refresh token first, which takes the others with it at most servers.

    >>> from syncline.model.secret import Secret
    >>> from syncline.sdk.auth.client_authentication import ClientAuthentication
    >>> from syncline.sdk.auth.tokens import Token
    >>> client = ClientAuthentication("app")
    >>> [request.body for request in revocations(client, "https://id.example.com/revoke", Token(Secret("t")), 0.0)]
    [b'client_id=app&token=t&token_type_hint=access_token']
    """
    headers = {"Content-Type": "application/x-www-form-urlencoded", **client.headers()}
    for secret, hint in ((token.refresh, "refresh_token"), (token.access, "access_token")):
        if secret:
            form = {**client.parameters(url, now), "token": secret.reveal(), "token_type_hint": hint}
            yield Request("POST", url, headers, urlencode(form).encode())
