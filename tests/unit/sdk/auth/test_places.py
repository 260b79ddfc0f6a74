"""Where credentials are put: headers, cookies, the query, a member of a JSON body."""

from __future__ import annotations

import pytest

from syncline.model.errors import Invalid
from syncline.sdk.auth.scheme import placed
from syncline.sdk.http import Request

URL = "https://api.example.com/rpc"


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b'{"id":12345678901234567890123,"n":1.10}', b'{"auth":"t\\"k","id":12345678901234567890123,"n":1.10}'),
        (b" { }", b'{"auth":"t\\"k" }'),
    ],
)
def test_a_member_is_added_and_the_rest_keeps_its_bytes(body, sent):
    """Numbers keep their digits, and the value is escaped."""
    assert placed(Request("POST", URL, {}, body), {"body.auth": 't"k'}).body == sent


@pytest.mark.parametrize("body", [b"", b"[1]", b"a=b", b'{"auth": null}'])
def test_a_body_that_has_no_room_for_it_is_an_error(body):
    """No JSON object, or one that has that member already: nothing is sent."""
    with pytest.raises(Invalid, match="body.auth") as caught:
        placed(Request("POST", URL, {}, body), {"body.auth": "t"})
    assert caught.value.code == "SYN441"
