"""The authorization code grant with PKCE (RFC 6749 section 4.1, RFC 7636), at a loopback address (RFC 8252).

Where the server's issuer identifier is known, an answer must carry it (RFC 9207).

`begin` gives the page to open; the browser comes back to the redirect URI; `exchange` turns the code into a token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from syncline.model.errors import Stalled
from syncline.model.secret import Secret
from syncline.sdk.auth import dpop
from syncline.sdk.auth.token_response import Refusal
from syncline.sdk.http import with_query

if TYPE_CHECKING:
    from syncline.sdk.auth.clock import Time
    from syncline.sdk.auth.grant import Flow
    from syncline.sdk.auth.oauth2 import OAuth2


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login: the page to open, and what must come back. The verifier stays here until the code is exchanged.

    Example: `begin(authorization_url, "app", redirect_uri, ("read",))`.
    """

    url: str
    redirect_uri: str
    state: str = field(repr=False)
    verifier: Secret
    issuer: str | None = None

    def code(self, callback: str) -> Secret:
        """
        The code in the URL that the browser was sent back to.

        Raises `Stalled` (SYN444) for another login's answer (state), for another server's (iss, which is compared where
        the issuer is known, and must be there once), and for what the server refused.
        """
        pairs = parse_qsl(urlsplit(callback).query, keep_blank_values=True)
        found = dict(pairs)
        # Compared first: an answer that isn't ours says nothing, not even an error.
        if not hmac.compare_digest(found.get("state", "").encode(), self.state.encode()):
            raise Stalled(
                "the answer belongs to another login: its state differs",
                code="SYN444",
                help="Nothing was stored. Begin again, and finish in the browser window that opens.",
            )
        # Before the error, too (RFC 9207, section 2.4). Compared as text: no form of a URL is another's equal.
        issuers = [value for name, value in pairs if name == "iss"]
        if self.issuer is not None and issuers != [self.issuer]:
            said = ", ".join(repr(_shown(value, 200)) for value in issuers[:2]) or "none"
            raise Stalled(
                f"the answer comes from another server than was asked: its issuer (iss) is {said}, not {self.issuer!r}",
                code="SYN444",
                help="Nothing was stored. If the server is the right one, correct authorizationIssuer: it is 'issuer' "
                "in the server's metadata; leave it out where its answers carry no iss.",
            )
        if error := found.get("error"):
            said = Refusal(_shown(error, 80), _shown(found.get("error_description", ""), 200)).shown
            raise Stalled(f"the login was refused: {said}", code="SYN444", help="Nothing was stored. Begin again.")
        code = found.get("code", "")
        if not code:
            raise Stalled("the answer holds no code", code="SYN444", help="Nothing was stored. Begin again.")
        return Secret(code)


def challenge(verifier: Secret) -> str:
    """The S256 challenge of a verifier (RFC 7636, section 4.2; the example of its appendix B).

    >>> challenge(Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))
    'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
    """
    digest = hashlib.sha256(verifier.reveal().encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def begin(
    authorization_url: str,
    client_id: str,
    redirect_uri: str,
    scopes: tuple[str, ...] = (),
    parameters: Mapping[str, str] | None = None,
    *,
    issuer: str | None = None,
) -> Attempt:
    """A new login, with a state and a verifier of its own; with an issuer, only its answers are taken.

    >>> attempt = begin("https://id.example.com/auth", "app", "http://127.0.0.1:8000/callback", ("read",))
    >>> "code_challenge_method=S256" in attempt.url
    True
    """
    state, verifier = random.token_urlsafe(32), Secret(random.token_urlsafe(48))
    query = {
        **(parameters or {}),
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
    }
    if scopes:
        query["scope"] = " ".join(scopes)
    return Attempt(with_query(authorization_url, query), redirect_uri, state, verifier, issuer)


def exchange(scheme: OAuth2, attempt: Attempt, code: Secret, time: Time) -> Flow:
    """The steps of exchanging a code (RFC 6749, section 4.1.3). Raises `Stalled` where the server refuses it.

    Example: `runner.run(exchange(scheme, attempt, attempt.code(callback), time))`.
    """
    form = {
        "grant_type": "authorization_code",
        "code": code.reveal(),
        "redirect_uri": attempt.redirect_uri,
        "code_verifier": attempt.verifier.reveal(),
    }
    found = yield from scheme.asked(form, dpop.new_key() if scheme.dpop else None, time)
    if isinstance(found, Refusal):
        raise Stalled(f"the login was refused: {found.shown}", code="SYN444", help="Nothing was stored. Begin again.")
    return found


def _shown(text: str, most: int) -> str:
    return "".join(c for c in text[:most] if c.isprintable())
