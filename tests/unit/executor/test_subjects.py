"""Telling whether what a run set aside is about a person, where no field of it can be read."""

from __future__ import annotations

import json

import pytest

from syncline.executor.privacy.subjects import names
from syncline.model.run import PAGE, Reject
from syncline.model.sample import Sample

ADA, ZOE = "ada@example.com", "Zoë/1"


def raw(text):
    """A line that couldn't be parsed."""
    return Reject("a.jsonl:1", "", "parse", "", "", text)


def page(request="GET /people", body=""):
    """A sample of an answer that couldn't be read."""
    return Reject(request, "", PAGE, "", "", Sample(request, 200, "text/plain", 9, "", body).to_json())


@pytest.mark.parametrize(
    ("value", "reject"),
    [
        (ADA, raw('{"note": "said\\nada@example.com')),
        (ADA, page(body="name\nADA@example.com\n")),
        (ADA, page(request="GET /people/ada%40example.com")),
        (ADA, page(request="GET /people?email=ada%40example.com&page=2")),
        (ADA, page(request="GET /people?query=email%3Aada%40example.com")),
        (ADA, page(body='{"q": "\\u0022ada@example.com\\u0022"}')),
        (ADA, Reject("GET /people", "", PAGE, "", "status 500: ada@example.com is locked", page().record)),
        (ZOE, raw(json.dumps({"name": ZOE})[:-1])),
        (ZOE, page(body=json.dumps({"name": ZOE}))),
        (ZOE, page(request="GET /people/Zo%C3%AB%2F1")),
        (ZOE, page(body="name;Zo\\xeb/1")),
        ("a&b", page(body="<td>a&amp;b</td>")),
    ],
)
def test_a_person_is_known_in_every_spelling(value, reject):
    """As URLs, JSON and HTML write the value, in a text that is no UTF-8, after an escape of both, and in the error."""
    assert names(reject, value)


@pytest.mark.parametrize("text", ["nada@example.com", "ada@example.commons", "adaXexample.com", ""])
def test_others_are_not_taken_for_them(text):
    """A longer word is somebody else."""
    assert not names(raw(text), ADA)
    assert not names(page(body=text), ADA)
