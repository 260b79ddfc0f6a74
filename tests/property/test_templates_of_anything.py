"""Whatever a template says: it is refused when it is compiled, or what it renders is bounded, in size and in time."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.model.errors import Invalid
from syncline.sdk import template
from syncline.sdk.template import FILTERS, MAX_OUTPUT, Group, TemplateError, compile_template, compile_value

#: Pieces of templates, good ones and those that attacks on template engines are made of.
PIECES = (
    "{{", "}}", "{%", "%}", "{#", "#}", "config", "config.long", "config.deep", "records", "records.id", "start", "'a'",
    '"%0999999999d"', "10**8", "9" * 400, "0", "-1", "1.5", "none", "true", " * ", " ** ", " % ", " + ", " ~ ", "|",
    "|join(',')", "|default('x')", "|tojson", "|replace('a','aa')", "|center(999999999)", "|attr('__class__')", "|map('x')",
    ".__class__", ".__mro__[1]", ".__subclasses__()", "['__globals__']", "[0]", "[::2]", "(", ")", "range(10**9)",
    "lipsum(n=10**6)", "cycler", "self", " if ", " else ", " is defined", " and ", " or ", " not ", " in ", " == ", "for x in ",
    "endfor", "set x = ", "include 'x'", "import 'os' as o", "macro m()", "\n", "\0", "\ud800", " ", ",", ":", "{", "}",
    *(f"|{name}" for name in FILTERS),
)  # fmt: skip
CONFIG = {"long": "a" * 10_000, "deep": {"a": [{"b": ["c" * 100] * 10}] * 10}, "n": 1, "none": None}
RECORDS = Group({"id": "x" * 50} for _ in range(1000))
VARIABLES = {"config": CONFIG, "records": RECORDS, "start": "2026-01-01"}

#: Pieces of plain templates, and what makes one less plain than it looks.
PLAIN = (
    "{{ start }}", "{{start}}", "{{  config.n  }}", "{{ config.none }}", "{{ config.long }}", "{{ config.gone }}", "{{ gone }}",
    "{{ records.id }}", "{{ true }}", "{{ True }}", "{{ not }}", "{{ None }}", "{{ self }}", "{{ _a }}", "{{ config._a }}",
    "{{ config.not }}", "{{- start -}}", "{{\tstart }}", "{{ ä }}", "{{ config.ä }}", "{{", "}}", "{", "}", "{%", "#}", "{#", "%",
    "/a b?c=ü", "a", " ", "\n", "\r\n", "\r", '{"a": ', "}",
)  # fmt: skip


def rendered(text: str) -> None:
    """Compiles and renders a text in both ways: our errors pass, all else is raised; what comes out is bounded."""
    with suppress(TemplateError, Invalid):
        # A text without expressions is what its manifest has, and as long.
        assert len(compile_template(text).render(VARIABLES)) <= max(MAX_OUTPUT, len(text))
    try:
        value = compile_value(text).find(VARIABLES)
    except (TemplateError, Invalid):
        return
    assert len(json.dumps(value, default=str)) <= 20 * MAX_OUTPUT


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_anything_in_the_words_of_templates_is_refused_or_bounded(text):
    """Pieces of templates in any order."""
    rendered(text)


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join))
def test_any_expression_is_refused_or_bounded(text):
    """Pieces of expressions inside one, so that many compile."""
    rendered("{{ " + text + " }}")
    rendered("/a/{{ config.long " + text + " }}/b")


def told(text: str, *, quoted: bool, whole: bool) -> tuple[object, ...]:
    """What compiling and rendering a text came to."""
    try:
        made = compile_template.__wrapped__(text, quoted=quoted, whole=whole)
    except TemplateError as error:
        return error.message, error.line, error.column
    known = (made.names, made.paths, made.needed)
    try:
        return *known, made.render(VARIABLES)
    except Invalid as error:
        return *known, str(error)


@given(st.lists(st.sampled_from(PLAIN), max_size=8).map("".join), st.booleans(), st.booleans())
def test_a_plain_template_is_what_the_engine_makes_of_it(text, quoted, whole):
    """Names, paths, output and errors are the same whether the engine compiled it or not."""
    found = told(text, quoted=quoted, whole=whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(template, "_plain", lambda *_, **__: None)
        assert told(text, quoted=quoted, whole=whole) == found


@pytest.mark.parametrize(
    "text",
    [
        "{{ config.long ~ config.long }}" * 500,
        "{{ " + " ~ ".join(["config.long"] * 400) + " }}",
        "{{ records.id | join(',') }}" * 100,
        "{{ config.deep | tojson }}" * 400,
        "{{" * 20_000,
        "{{ " + "not " * 20_000 + "config }}",
        "{{ config" + "[0]" * 20_000 + " }}",
        "{{ 'a'*10**8 }}",
        "{% for a in 'x'*9 %}{% for b in 'x'*9 %}{{ a }}{% endfor %}{% endfor %}",
        "{{ '%0999999999d' % 1 }}",
    ],
    ids=lambda text: text[:30],
)
def test_what_would_grow_ends_soon(text):
    """What would be a great deal of text or work takes less than the two seconds after which a process would be killed."""
    began = time.process_time()
    rendered(text)
    assert time.process_time() - began < 2
