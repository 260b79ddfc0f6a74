"""The device authorization grant (RFC 8628): a person confirms elsewhere, while this side asks again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from syncline.model.errors import Stalled
from syncline.sdk.auth import dpop
from syncline.sdk.auth.grant import Flow, Pause, Prompt
from syncline.sdk.auth.token_response import Refusal, document, failed, refusal
from syncline.sdk.http import Request

if TYPE_CHECKING:
    from syncline.sdk.auth.clock import Time
    from syncline.sdk.auth.oauth2 import OAuth2

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
#: Longest time in seconds that a person is given, whatever the server offers.
MAX_SECONDS = 1800.0


def login(scheme: OAuth2, device_url: str, time: Time, *, most: float = MAX_SECONDS) -> Flow:
    """
    The steps of a login: asks for a code, shows it (`Prompt`), and polls until it is confirmed, `most` seconds long.

    Raises `Stalled` (SYN444) where the person refuses, or lets the code run out.

    >>> from syncline.sdk.auth.client_authentication import ClientAuthentication
    >>> from syncline.sdk.auth.clock import Time
    >>> from syncline.sdk.auth.oauth2 import OAuth2
    >>> scheme = OAuth2("device_code", "https://id.example.com/token", ClientAuthentication("app"))
    >>> next(login(scheme, "https://id.example.com/device", Time(lambda: 0.0)))
    Request(POST https://id.example.com/device)
    """
    form = {**scheme.parameters, **scheme.client.parameters(device_url, time())}
    if scheme.scopes:
        form["scope"] = " ".join(scheme.scopes)
    headers = {
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
        **scheme.client.headers(),
    }
    response = yield Request("POST", device_url, headers, urlencode(form).encode())
    assert response is not None
    if response.status != 200:
        found = refusal(response)
        raise _refused(found.shown) if found else failed(response)
    asked = document(response) or {}
    device, user, url = (str(asked.get(name) or "") for name in ("device_code", "user_code", "verification_uri"))
    if not device or not user or not url.startswith(("https://", "http://")):
        raise failed(response)
    seconds = min(_number(asked.get("expires_in"), 600.0), most, MAX_SECONDS)
    wait = _number(asked.get("interval"), 5.0)
    yield Prompt(url, user, seconds)
    key = dpop.new_key() if scheme.dpop else None
    waited = 0.0
    while waited < seconds:
        yield Pause(wait)
        waited += wait
        answer = yield from scheme.asked({"grant_type": GRANT, "device_code": device}, key, time)
        if not isinstance(answer, Refusal):
            return answer
        match answer.error:
            case "authorization_pending":
                continue
            case "slow_down":
                wait += 5.0
            case "expired_token":
                break
            case _:
                raise _refused(answer.shown)
    raise _refused("the code has run out")


def _number(value: object, otherwise: float) -> float:
    sane = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e6
    return float(value) if sane else otherwise  # type: ignore[arg-type]  # a number, as just seen


def _refused(why: str) -> Stalled:
    return Stalled(f"the login was refused: {why}", code="SYN444", help="Nothing was stored. Begin again.")
