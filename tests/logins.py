"""A function as the server that tokens come from, and a clock: what tests of logins begin with."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

from syncline.sdk.auth.authenticator import Authenticator
from syncline.sdk.http import Request, Response
from tests.rest_streams import FakeClock, FunctionTransport

NOW = 1_700_000_000.0
API = Request("GET", "https://api.example.com/items")
REFUSED = Response(401, {}, b"")


def token_answer(number=1, **more):
    body = {"access_token": f"canary-access-{number}", "token_type": "Bearer", "expires_in": 3600}
    return Response(200, {}, json.dumps(body | more).encode())


def client(answer, made, store=None, clock=None):
    transport = FunctionTransport(answer)
    return Authenticator(made, clock or FakeClock(NOW), transport, store), transport


def form(request):
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
