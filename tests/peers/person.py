"""A person with a browser, for logins: follows redirects with cookies and fills in every form until sent elsewhere."""

from __future__ import annotations

import urllib.error
import urllib.request
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

STEPS = 20
ANSWERS = {"login": "alice", "password": "whatever"}


def approve(url: str) -> str:
    """
    Opens the URL, logs in, consents; returns the URL that the person is sent to outside of that server.

    Where nobody is sent away (a device code), it is the last page's URL.
    """
    home = urlsplit(url).netloc
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar()), _NoRedirect()
    )
    data: bytes | None = None
    for _ in range(STEPS):
        location, text = _open(opener, url, data)
        if location:
            url, data = urljoin(url, location), None
            if urlsplit(url).netloc != home:
                return url
            continue
        form = _Form()
        form.feed(text)
        if form.action is None:
            return url
        url, data = urljoin(url, form.action), urlencode({**form.fields, **form.asked}).encode()
    raise AssertionError(f"no end of forms at {url}")


def _open(opener: urllib.request.OpenerDirector, url: str, data: bytes | None) -> tuple[str | None, str]:
    try:
        with opener.open(url, data, timeout=60) as response:
            return None, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            if 300 <= error.code < 400:
                return error.headers["Location"], ""
            raise AssertionError(f"{url}: {error.code} {error.read()[:500]!r}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **options: Any) -> None:
        return None


class _Form(HTMLParser):
    """The first form of a page: where it goes, its filled fields, and answers to those that are asked."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.asked: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and self.action is None:
            self.action = given.get("action", "")
        if tag == "input" and given.get("name"):
            name = given["name"]
            if name in ANSWERS:
                self.asked[name] = ANSWERS[name]
            elif given.get("value"):
                self.fields[name] = given["value"]
