"""Request templates: values go in, nothing else does."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from syncline.model.errors import Invalid
from syncline.sdk.template import FILTERS, MAX_OUTPUT, Group, TemplateError, compile_template, compile_value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/tickets", "/tickets"),
        ("https://{{ config.site }}.example.com", "https://acme.example.com"),
        ("{{ config['site'] | upper }}", "ACME"),
        ("{{ 'eu' if config.eu else 'us' }}", "eu"),
        ("{{ config.eu }}", "true"),
        ("{{ start | default('') }}", ""),
        ("{{ config.port ~ '/' ~ config.site }}", "8080/acme"),
        ("{{ tags | first }}{{ tags[1] }}", "ab"),
        ("{{ config.port == 8080 and not config.none }}", "true"),
        ("{{ config.none }}|", "|"),
        ("{{ config.items }}", "of a dict that isn't a method"),
        ("{# note #}x", "x"),
    ],
)
def test_values_are_filled_in(text, expected):
    """What the grammar has gives the text that one expects."""
    config = {"site": "acme", "eu": True, "port": 8080, "none": None, "items": "of a dict that isn't a method"}
    assert compile_template(text).render({"config": config, "tags": ["a", "b"]}) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ config['__class__'] }}",
        "{{ _private }}",
        "{{ config.update({}) }}",
        "{{ range(10) }}",
        "{{ lipsum() }}",
        "{{ cycler.next }}{{ self }}{% raw %}{% endraw %}{{ 1 + 1 }}",
        "{{ 'a' * 100000000 }}",
        "{{ '%0999999999d' % 1 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ -config.port }}",
        "{% for x in config %}x{% endfor %}",
        "{% set x = 1 %}",
        "{% if config %}x{% endif %}",
        "{% include 'x' %}",
        "{% macro m() %}{% endmacro %}",
        "{% raw %}{% endraw %}{% import 'x' as y %}",
        "{{ config[start] }}",
        "{{ tags[0:1] }}",
        "{{ [1, 2] }}",
        "{{ config | attr('x') }}",
        "{{ config | map('upper') }}",
        "{{ 'a' | center(1000000000) }}",
        "{{ config.site | replace('a', config.by) }}",
        "{{ config.site | replace('a') }}",
        "{{ config.site | replace('', '-') }}",
        "{{ config.site | replace('a', 'b', 1) }}",
        "{{ config.site | replace('1', 2) }}",
        "{{ config | tojson(indent=99999999) }}",
        "{{ config | default(start) }}",
        "{{ config is divisibleby 3 }}",
        "{{ config.site",
        "{{ }}",
        "{% nonsense %}",
        "{{ " + "(" * 2000 + "a" + ")" * 2000 + " }}",
        "{{ a }}" * 600,
    ],
)
def test_everything_else_is_refused_when_compiled(text):
    """Attributes of objects, calls, statements, arithmetic and unlisted filters never compile."""
    with pytest.raises(TemplateError):
        compile_template(text)


def test_an_error_has_its_position():
    """The line and the column of the expression that is wrong are told."""
    with pytest.raises(TemplateError, match=r"must not use calls") as caught:
        compile_template("a\nbc {{ f() }}")
    assert (caught.value.line, caught.value.column) == (2, 4)


def test_a_missing_value_is_an_error():
    """A value that isn't there is an error that names it, not an empty text."""
    with pytest.raises(Invalid, match="'site' is undefined|no attribute 'site'") as caught:
        compile_template("{{ config.site }}").render({"config": {}})
    assert caught.value.code == "SYN431"


def test_objects_have_no_attributes():
    """Attributes of Python objects can't be read, whatever they are called."""
    with pytest.raises(Invalid):
        compile_template("{{ config.real }}").render({"config": 5})


def test_quoted_values_stay_in_a_path_segment():
    """With `quoted`, what comes from a value is percent-encoded; the template's own text is not."""
    template = compile_template("/a/{{ id }}?x=1", quoted=True)
    assert template.render({"id": "b/../c?d=é"}) == "/a/b%2F..%2Fc%3Fd%3D%C3%A9?x=1"


def test_output_is_bounded():
    """A value that is too long for any request is refused."""
    with pytest.raises(Invalid, match="gives more than"):
        compile_template("{{ a }}").render({"a": "x" * (MAX_OUTPUT + 1)})


def test_names_are_known():
    """A template tells which variables it reads."""
    assert compile_template("{{ config.a }}{{ start | default('') }}").names == {"config", "start"}


def test_listed_filters_exist():
    """Each filter in the list is one that templates can use."""
    given = {"date": "('%Y')", "minus": "('7d')", "plus": "('7d')", "replace": "('a', 'b')"}
    for name in FILTERS:
        compile_template("{{ a | " + name + given.get(name, "") + " }}")


@pytest.mark.parametrize(
    "text",
    [
        "{{ a | date }}",
        "{{ a | date('') }}",
        "{{ a | date('%999999999Y') }}",
        "{{ a | date('%-d') }}",
        "{{ a | date('100%') }}",
        "{{ a | date(7) }}",
        "{{ a | minus('7 days') }}",
        "{{ a | minus('-7d') }}",
        "{{ a | plus('P7D') }}",
        "{{ a | plus('7d', '1d') }}",
        "{{ a | plus(b) }}",
    ],
)
def test_what_times_are_given_is_looked_at_when_a_template_is_compiled(text):
    """Formats are codes that give the same everywhere, in a bounded length; what is added is a duration."""
    with pytest.raises(TemplateError):
        compile_template(text)


@pytest.mark.parametrize("value", [None, True, 1767600000, "2026-13-01", "0001-01-01", ["2026-01-05"]])
def test_what_is_no_time_is_an_error(value):
    """A number may be seconds or milliseconds, and is none; nor is what a calendar doesn't have."""
    with pytest.raises(Invalid) as caught:
        compile_template("{{ a | minus('1d') }}").render({"a": value})
    assert caught.value.code == "SYN431"


def test_a_text_is_split_into_a_list():
    """What commas separate becomes a list that stands for itself; inside other text it is refused, not shown."""
    value = compile_value("{{ (names ~ ',id') | split }}")
    assert value.find({"names": " a, b c,,"}) == ["a", "b c", "id"]
    for text in ("fields={{ names | split }}", "{{ names | split ~ '' }}"):
        with pytest.raises(Invalid) as caught:
            compile_template(text).render({"names": "a,b"})
        assert caught.value.code == "SYN431"


def test_a_list_is_joined_to_text():
    """`join` makes text of what `split` or a group of records gives, with what stands between; of nothing else."""
    variables = {
        "config": {"ids": "a, b,c"},
        "accounts": Group([{"id": 1, "of": {"x": "u"}}, {"id": 2, "of": {"x": None}}]),
    }

    def rendered(text):
        return compile_template(text).render(variables)

    assert rendered("{{ config.ids | split | join }}") == "a,b,c"
    assert rendered("{{ accounts.id | join('|') }}") == "1|2"
    assert rendered("{{ accounts.of.x | join('-') }}") == "u-"
    assert rendered("{{ accounts | length }} {{ accounts[1].id }}") == "2 2"
    assert compile_template("/{{ accounts.id | join }}", quoted=True).render(variables) == "/1%2C2"
    assert compile_value("{{ accounts.id }}").find(variables) == [1, 2]
    for text in ("{{ accounts | join }}", "{{ config.ids | join }}", "{{ accounts.id }}", "{{ accounts.mail | join }}"):
        with pytest.raises(Invalid) as caught:
            rendered(text)
        assert caught.value.code == "SYN431"


def test_what_is_joined_is_bounded():
    """Many items with a long text between them are refused before the text is made."""
    text = "{{ config.ids | split | join('" + "-" * 60_000 + "') }}"
    with pytest.raises(Invalid, match="more than 65536 characters"):
        compile_template(text).render({"config": {"ids": "a," * 1_000_000}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ a | replace('https://', '') }}", "x.example/y"),
        ("{{ a | replace('.', '..') | replace('/', '') | upper }}", "HTTPS:X..EXAMPLEY"),
        ("{{ n | replace('1', 'one') }}", "one0"),
        ("{{ yes | replace('true', 'Y') }}", "Y"),
        ("{{ none | replace('None', 'N') }}", ""),
        ("{{ missing | default('a-b') | replace('-', '+') }}", "a+b"),
    ],
)
def test_texts_are_replaced(text, expected):
    """Each place of one text is another one, also in a number, and in a value as templates show it."""
    variables = {"a": "https://x.example/y", "n": 10, "yes": True, "none": None}
    assert compile_template(text).render(variables) == expected


def test_what_is_replaced_is_bounded():
    """A text that would get too long is refused before it is made, again and again; a list is none."""
    longer = " | replace('a', '" + "a" * 50_000 + "')"
    for text in ("{{ a" + longer + longer + " }}", "{{ a | split | replace('a', 'b') }}"):
        with pytest.raises(Invalid, match="more than 65536 characters|is for texts") as caught:
            compile_template(text).render({"a": "a,a"})
        assert caught.value.code == "SYN431"


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("{{ start | default('') }}", set()),
        ("{{ page.number | default('') }}", set()),
        ("{{ start | default('') }}/{{ start }}", {"start"}),
        ("{{ start | trim | default('') }}", {"start"}),
        ("{{ (start ~ page) | default('') }}", {"start", "page"}),
        ("{{ start if start is defined else '' }}{{ config.at }}", {"config"}),
        ("{{ '' if start is undefined else start | date('%Y') }}", set()),
    ],
)
def test_what_has_to_be_there_is_known(text, needed):
    """Of a name without a default of its own, the template fails where it isn't there."""
    template = compile_template(text)
    assert template.needed == needed
    known = {"config": {"at": "x"}, "start": "2026-01-01", "page": "1"}
    for name in template.names:
        without = {given: value for given, value in known.items() if given != name}
        if name in needed:
            with pytest.raises(Invalid):
                template.render(without)
        else:
            template.render(without)


@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.parametrize(
    "value",
    [
        "ä/b:c?",
        "",
        "{{ x }}",
        "\ud800",
        0,
        -5,
        2**70,
        pytest.param(10**5000, id="long"),
        True,
        False,
        None,
        1.5,
        [1],
        {"a": 1},
        Group(["b"]),
    ],
)
def test_what_is_plain_says_what_the_engine_says(value, quoted):
    """A template of nothing but text and values is filled in without the engine, and comes out the same."""
    text = "/of/{{ parent.id }}/{{ now }}\n"
    variables = {"parent": {"id": value}, "now": "2026-01-01"}
    template = compile_template(text, quoted=quoted)
    assert template._plain is not None
    assert _told(template, variables) == _told(replace(template, _plain=None), variables)
    assert _told(template, {"parent": {}}) == _told(replace(template, _plain=None), {"parent": {}})


def _told(template, variables):
    try:
        return template.render(variables)
    except Invalid as error:
        return str(error)
