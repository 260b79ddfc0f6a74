"""References that servers give, taken as browsers take them; and paths that are compared."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.model.errors import Invalid
from syncline.sdk.http import checked_url, followed, same_origin
from syncline.sdk.uri import escaped, normal, of_header, requoted

BASE = "https://api.example.com/v1/items?page=1"


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("?page=2", "https://api.example.com/v1/items?page=2"),
        ("/v1/a b?q=c d", "https://api.example.com/v1/a%20b?q=c%20d"),
        ("  next?page=2\r\n", "https://api.example.com/v1/next?page=2"),
        ("ne\nxt\t", "https://api.example.com/v1/next"),
        ("/ä/%C3%A4/%c3%a4", "https://api.example.com/%C3%A4/%C3%A4/%c3%a4"),
        ("/日本?名=値", "https://api.example.com/%E6%97%A5%E6%9C%AC?%E5%90%8D=%E5%80%A4"),
        ("?q=100%&p=%zz&r=%2", "https://api.example.com/v1/items?q=100%25&p=%25zz&r=%252"),
        ("?q=%25&r=%2F+", "https://api.example.com/v1/items?q=%25&r=%2F+"),
        ('?q=<a>"{b}|c^`\\', "https://api.example.com/v1/items?q=%3Ca%3E%22%7Bb%7D%7Cc%5E%60%5C"),
        ("?filter[a]=1&b=x'y", "https://api.example.com/v1/items?filter[a]=1&b=x'y"),
        ("\\v1\\items?page=2", "https://api.example.com/v1/items?page=2"),
        ("?page=2#frag ment", "https://api.example.com/v1/items?page=2"),
        ("../../../x", "https://api.example.com/x"),
        ("?a=\x00b", "https://api.example.com/v1/items?a=%00b"),
        ("?a=\ud800b", "https://api.example.com/v1/items?a=%EF%BF%BDb"),
        ("HTTPS://API.example.com/x y", "https://API.example.com/x%20y"),
    ],
)
def test_odd_references_are_requoted(reference: str, url: str) -> None:
    """What no URL may have in it is percent-encoded once, and escapes stay; then it can be asked."""
    assert followed(BASE, reference) == url
    assert checked_url(url) == url
    assert same_origin(BASE, url)


@pytest.mark.parametrize(
    "reference",
    [
        "//evil.example/x",
        "\\\\evil.example\\x",
        "/\\evil.example/x",
        "https:\\\\evil.example\\@api.example.com/",
        "https://evil.example\\.api.example.com/",
        "https://evil.example#@api.example.com/",
        "https://api.example.com@evil.example/",
        "https://api.example.com%2eevil.example/",
        "https://api.example.com .evil.example/",
        "https://api.example.com\x00.evil.example/",
        "https://ápi.example.com/",
        "https://①②⑦.0.0.1/",
        "ht\ntps://evil.example/",
        " \x01https://evil.example/",
        "javascript:alert(1)",
    ],
)
def test_none_of_them_leads_elsewhere_unseen(reference: str) -> None:
    """However a host is dressed up, the URL that would be asked is seen to be at another origin."""
    assert not same_origin(BASE, followed(BASE, reference))


@pytest.mark.parametrize("reference", ["https://[", "https://[::1"])
def test_what_is_no_url_is_said_to_be_none(reference: str) -> None:
    """What can't be taken apart is a ValueError, which callers make an error for people of."""
    with pytest.raises(ValueError, match=r".+"):
        followed(BASE, reference)


@given(st.text(max_size=60))
def test_what_is_requoted_is_a_uri_and_stays_so(text: str) -> None:
    """Any text becomes printable ASCII that a URI may have, and isn't changed a second time."""
    once = requoted(text)
    assert once.isascii()
    assert not set(once) & set(' "<>^`{|}\\')
    assert requoted(once) == once


@given(st.text(alphabet="abz019-._~/?&=+$,;:@!'()*[]#", max_size=60))
def test_a_uri_is_left_alone(text: str) -> None:
    """What may be written in a URL is sent byte for byte, as signatures of files need it."""
    assert requoted(text + "%2F%2f") == text + "%2F%2f"


@given(st.text(alphabet="aä €\u65e5", max_size=20))
def test_bytes_of_headers_come_as_they_were_sent(text: str) -> None:
    """A header that is UTF-8 and was read as Latin-1 means what was sent; other bytes stay those bytes."""
    assert unquote(of_header(text.encode().decode("latin-1"))) == text
    assert of_header("/\xe4") == "/%E4"


def test_paths_that_mean_one_thing_are_equal() -> None:
    """Case of escapes and what is escaped without need make no other path; a slash that is escaped is no slash."""
    assert normal(escaped("/things of/ä")) == normal("/things%20of/%c3%a4") == "/things%20of/%C3%A4"
    assert normal("/%7Ea%2db") == "/~a-b"
    assert normal("/a%2fb") == "/a%2Fb"


@pytest.mark.parametrize("host", ["169.254.169.254", "127.0.0.1", "[::1]"])
def test_a_host_that_is_dressed_up_is_the_one_that_is_dialled(host: str) -> None:
    """The URL that is handed on names the host that a browser would ask: the guard judges that one."""
    url = followed(BASE, f"\\\\{host}\\latest meta")
    assert urlsplit(url).hostname == host.strip("[]")
    assert checked_url(url) == f"https://{host}/latest%20meta"


@pytest.mark.parametrize("reference", ["https://u@api.example.com/", "https:///x", "https://u:p w@api.example.com/"])
def test_a_user_name_is_refused_all_the_same(reference: str) -> None:
    """Requoting makes nothing of a URL with a user name, or without a host, that may be asked."""
    with pytest.raises(Invalid):
        checked_url(followed(BASE.replace("https", "http"), reference))
