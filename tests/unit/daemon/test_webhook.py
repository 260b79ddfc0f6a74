"""Tests of push webhooks, by the signatures and payloads that GitHub, GitLab, Gitea and Standard Webhooks document."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from email.message import Message
from urllib.parse import urlencode

import pytest

from syncline.daemon.http.listening import Asked
from syncline.daemon.http.proofs import TOLERANCE
from syncline.daemon.http.push import RATE, Webhook, genuine, pushed, strong
from syncline.model.errors import Stalled
from syncline.model.secret import Secret

KEY = "It's a Secret to Everybody"  # GitHub's, in "Validating webhook deliveries"
GITHUB = {
    "ref": "refs/heads/main",
    "before": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
    "after": "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5",
    "repository": {"id": 186853002, "full_name": "Codertocat/Hello-World", "private": False},
    "pusher": {"name": "Codertocat", "email": "21031067+Codertocat@users.noreply.github.com"},
    "created": False, "deleted": False, "forced": False, "commits": [],
}  # fmt: skip
GITLAB = {
    "object_kind": "push",
    "event_name": "push",
    "before": "95790bf891e76fee5e1747ab589903a6a1f80f22",
    "after": "da1560886d4f094c3e6c9ef40349f7d38b5d27d7",
    "ref": "refs/heads/main",
    "checkout_sha": "da1560886d4f094c3e6c9ef40349f7d38b5d27d7",
    "project": {"id": 15, "path_with_namespace": "mike/diaspora"},
    "total_commits_count": 4,
}
GITEA = {
    "ref": "refs/heads/main",
    "before": "28e1879d029cb852e4844d9c718537df08844e03",
    "after": "bffeb74224043ba2feb48d137756c8a9331c449a",
    "compare_url": "http://localhost:3000/gitea/webhooks/compare/28e1879d…bffeb742",
    "repository": {"id": 140, "full_name": "gitea/webhooks"},
}


def message(headers):
    """Headers as a server reads them."""
    made = Message()
    for name, value in headers:
        made[name] = value
    return made


def hmac_of(body, key=KEY):
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def github(body, key=KEY):
    return [("X-GitHub-Event", "push"), ("X-Hub-Signature-256", f"sha256={hmac_of(body, key)}")]


def gitea(body, key=KEY):
    return [("X-Gitea-Event", "push"), ("X-Gitea-Signature", hmac_of(body, key))]


def gitlab(body, key=KEY):
    del body
    return [("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Token", key)]


def standard(body, key=KEY, when=None):
    when = int(time.time()) if when is None else when
    signed = hmac.digest(key.encode(), f"msg_1.{when}.".encode() + body, "sha256")
    signature = f"v1,{base64.b64encode(signed).decode()}"
    return [("webhook-id", "msg_1"), ("webhook-timestamp", str(when)), ("webhook-signature", f"v1,bm8= {signature}")]


WAYS = pytest.mark.parametrize(
    ("sign", "document"), [(github, GITHUB), (gitea, GITEA), (gitlab, GITLAB), (standard, GITLAB)]
)


class House:
    """A webhook that counts how often a look was asked for."""

    def __init__(self, *keys):
        self.looks = 0
        self.hook = Webhook(lambda: [Secret(key) for key in keys], self._pushed)

    def _pushed(self, ref):
        follows = ref == "refs/heads/main"
        self.looks += follows
        return follows

    def post(self, body, headers, path="/hook"):
        return self.hook.answer(Asked("POST", path, message(headers), body)).status


def test_the_vector_that_github_documents_is_genuine():
    """GitHub's own example: this secret and "Hello, World!" give this signature."""
    signature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = message([("X-Hub-Signature-256", f"sha256={signature}")])
    assert genuine(headers, b"Hello, World!", Secret(KEY), 0.0)
    assert not genuine(headers, b"Hello, World?", Secret(KEY), 0.0)


def test_the_vector_of_standard_webhooks_is_genuine_near_its_time_only():
    """The specification's own example, which GitLab's signing token follows; five minutes later it isn't any more."""
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = message(
        [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ]
    )
    body = b'{"test": 2432232314}'
    assert genuine(headers, body, secret, 1614265330.0 + TOLERANCE)
    assert not genuine(headers, body, secret, 1614265331.0 + TOLERANCE)
    assert not genuine(headers, body, secret, 1614265329.0 - TOLERANCE)
    assert not genuine(headers, body + b" ", secret, 1614265330.0)


@WAYS
def test_a_signed_push_to_the_branch_asks_for_a_look(sign, document):
    """Each service's payload with each service's proof is taken; with another key, another body or none it isn't."""
    body = json.dumps(document).encode()
    house = House(KEY)
    assert house.post(body, sign(body)) == 202
    assert house.looks == 1
    assert house.post(body, sign(body, "another secret that is long")) == 401
    assert house.post(body, []) == 401
    if sign is not gitlab:  # its token says nothing of the body
        assert house.post(body.replace(b"main", b"mair"), sign(body)) == 401
    assert house.looks == 1


@WAYS
def test_other_refs_and_events_are_none_of_our_business(sign, document):
    """A push to another branch or of a tag, a ping, and what isn't JSON are answered and ask for nothing."""
    house = House(KEY)
    for other in ({**document, "ref": "refs/heads/other"}, {**document, "ref": "refs/tags/main"}, {"zen": "Calm."}):
        body = json.dumps(other).encode()
        assert house.post(body, sign(body)) == 200
    for body in (b"", b"[]", b"{" * 9, b"[" * 100_000, b'{"ref": 5}', b"\xff"):
        assert house.post(body, sign(body)) == 200
    assert house.looks == 0


def test_a_form_is_read_as_github_sends_one():
    """With the content type that GitHub offers first, the document is in the field `payload`."""
    body = urlencode({"payload": json.dumps(GITHUB)}).encode()
    headers = [*github(body), ("Content-Type", "application/x-www-form-urlencoded")]
    assert pushed(message(headers), body) == "refs/heads/main"
    assert House(KEY).post(body, headers) == 202


def test_a_delivery_that_comes_again_only_looks_again():
    """A replay is answered like the first and asks for a look, which finds nothing new."""
    body = json.dumps(GITHUB).encode()
    house = House(KEY)
    assert [house.post(body, github(body)) for _ in range(3)] == [202, 202, 202]


def test_too_many_deliveries_are_put_off():
    """Past the rate, signed or not, the answer is 429 with a time to wait, and nothing is compared."""
    house = House(KEY)
    answers = [house.post(b"", []) for _ in range(RATE[0] + 5)]
    assert answers == [401] * RATE[0] + [429] * 5
    body = json.dumps(GITHUB).encode()
    assert house.post(body, github(body)) == 429


def test_both_secrets_count_while_one_replaces_the_other():
    """Of two secrets each is enough."""
    body = json.dumps(GITHUB).encode()
    house = House("the secret of last year", KEY)
    assert house.post(body, github(body)) == 202
    assert house.post(body, github(body, "the secret of last year")) == 202


def test_headers_that_come_twice_prove_nothing():
    """A signature that is there twice isn't one; which of them would count is a matter of taste."""
    body = json.dumps(GITHUB).encode()
    (event, proof) = github(body)
    assert House(KEY).post(body, [event, proof, proof]) == 401
    assert House(KEY).post(body, [event, ("X-Hub-Signature-256", f"sha256={hmac_of(body)}é")]) == 401


def test_it_is_one_path_and_one_method():
    """Anything else is a 404 or a 405; a query doesn't matter."""
    body = json.dumps(GITHUB).encode()
    house = House(KEY)
    assert house.post(body, github(body), "/other") == 404
    assert house.post(body, github(body), "/hook?a=1") == 202
    assert house.hook.answer(Asked("GET", "/hook", message([]))).status == 405


def test_a_secret_that_can_be_guessed_is_refused():
    """An empty or short secret ends the start of the daemon; its value isn't in the message."""
    with pytest.raises(Stalled) as caught:
        strong(Secret("hunter2"), "env:HOOK")
    assert caught.value.code == "SYN666"
    assert "hunter2" not in caught.value.message
    assert strong(Secret(KEY), "env:HOOK").reveal() == KEY
