"""Paging without a server: states, Link headers and URLs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.model.errors import Invalid
from syncline.sdk.http import same_origin, shown_url, with_query, without_query
from syncline.sdk.paging import ByCursor, ByOffset, ByPage, ByUrl, Pager, Seen, Single, link


@pytest.mark.parametrize("paging", [Single(), ByCursor("query.c"), ByPage("query.p"), ByOffset("query.o"), ByUrl()])
@given(counts=st.lists(st.integers(1, 9), max_size=10), size=st.integers(1, 9))
def test_states_are_json_and_end(paging, counts, size):
    """Every state is plain JSON data, and a listing that ends is walked to its end."""
    pager = Pager(paging, {"query.limit": size})
    state = pager.first()
    pages = 0
    for index, count in enumerate([*counts, 0]):
        token = f"/x?{index}" if index < len(counts) else None
        seen = Seen(count, f"{index}", "http://a/", token)
        following = pager.after(json.loads(json.dumps(state)), seen)
        pages += 1
        if following is None:
            break
        state = following
    assert pages == (1 if isinstance(paging, Single) else len(counts) + 1)


def test_offsets_may_count_from_one():
    """SCIM's first record is number 1: the next page starts after what came, and a total ends it."""
    pager = Pager(ByOffset("query.startIndex", start=1), {"query.count": 2})
    first = pager.first()
    second = pager.after(first, Seen(records=2, digest="a", total=3))
    assert second is not None

    assert [pager.ask(state).values["query.startIndex"] for state in (first, second)] == [1, 3]
    assert pager.after(second, Seen(records=1, digest="b", total=3)) is None


def test_an_offset_counts_what_came():
    """The next offset is where the records that came end, not where the size that was asked for does."""
    pager = Pager(ByOffset("query.o"), {"query.limit": 100})
    state = pager.after(pager.first(), Seen(37, "a"))
    assert state is not None
    assert pager.ask(state).values == {"query.limit": 100, "query.o": 37}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('<https://a/2>; rel="next"', "https://a/2"),
        ('<https://a/1>; rel="prev", <https://a/3>; rel="next"', "https://a/3"),
        ("<https://a/2>; rel=next", "https://a/2"),
        ('<https://a/2>; title="x, y; rel=\\"next\\""; rel="last next"', "https://a/2"),
        ('<https://a/2,3;4>; REL="NEXT"', "https://a/2,3;4"),
        ('<https://a/2>; rel="prev"; rel="next"', None),
        ('<https://a/2>; rel="nextpage"', None),
        ("<https://a/2>;rel=\"next\";title*=UTF-8''x", "https://a/2"),
        ('<https://a/1>; crossorigin; rel="next"', "https://a/1"),
        ("", None),
        ("garbage", None),
        ("<https://a/2>", None),
        ("<" * 5000, None),
    ],
)
def test_link_headers(header, expected):
    """The target of a relation is found as RFC 8288 writes it."""
    assert link(header, "next") == expected


@given(st.text(alphabet='<>;,="\\ relnxt', max_size=60))
def test_no_link_header_breaks_it(header):
    """Whatever a Link header holds, it gives a target or none."""
    assert isinstance(link(header, "next"), str | None)


@pytest.mark.parametrize(
    "token",
    ["http://b/2", "https://a/2", "http://a:81/2", "//b/2", "http://a.b/2", "http://a@b/2", "file:///x", "http://["],
)
def test_a_next_url_elsewhere_is_refused(token):
    """Another scheme, host or port is another origin."""
    with pytest.raises(Invalid) as caught:
        Pager(ByUrl()).after({}, Seen(1, "a", "http://a/1", token))
    assert caught.value.code == "SYN406"


@pytest.mark.parametrize(
    ("token", "url"),
    [("/2", "http://a/2"), ("?c=3", "http://a/x/1?c=3"), ("2", "http://a/x/2"), ("HTTP://A:80/2", "http://A:80/2")],
)
def test_a_next_url_may_be_relative(token, url):
    """A relative URL is resolved against the page's own."""
    state = Pager(ByUrl()).after({}, Seen(1, "a", "http://a/x/1", token))
    assert state is not None
    assert state["url"].lower() == url.lower()


def test_urls_are_shown_without_secrets():
    """Parameters that usually or by declaration carry secrets are masked; the rest is shown."""
    url = "https://h/t?cursor=a%20b&api_key=s1&KEY=s2&mine=s3&page_token=p"
    assert shown_url(url, frozenset({"mine"})) == "/t?cursor=a%20b&api_key=***&KEY=***&mine=***&page_token=p"


def test_query_parameters_replace_their_namesakes():
    """A parameter that is set replaces the one of the URL; a parameter that is taken out leaves the others."""
    assert with_query("http://a/?x=1&y=2#f", {"x": "3 4"}) == "http://a/?y=2&x=3%204"
    assert without_query("http://a/?x=1&y=2", frozenset({"x"})) == "http://a/?y=2"
    assert without_query("http://a/?x=%7E1&y=2", frozenset({"z"})) == "http://a/?x=%7E1&y=2"


def test_the_other_parameters_stay_byte_for_byte():
    """What an API wrote into a URL of its own, and what was signed, is sent as it is: +, commas, flags, names that repeat."""
    url = "https://a/x?t=a+b%2Fc,d&flag&f%5B%5D=1&f%5B%5D=2&k%20y=v&empty="
    assert with_query(url, {"sig": "s/="}) == url + "&sig=s%2F%3D"
    assert with_query(url, {"f[]": "3"}) == "https://a/x?t=a+b%2Fc,d&flag&k%20y=v&empty=&f%5B%5D=3"
    assert without_query(url, frozenset({"k y", "flag"})) == "https://a/x?t=a+b%2Fc,d&f%5B%5D=1&f%5B%5D=2&empty="


def test_origins():
    """An origin is scheme, host and port, with the scheme's own port as default."""
    assert same_origin("https://a/x", "https://A:443/y")
    assert not same_origin("https://a/x", "http://a:443/y")
