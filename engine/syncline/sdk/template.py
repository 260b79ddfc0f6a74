"""Request templates: Jinja2 with a grammar closed at compile time.

A template puts values into text: `{{ config.site }}`, `{{ start | default("") }}`, `{{ 'a' if config.eu else 'b' }}`.
It has no statements, calls, arithmetic or methods, so that what it costs and how long its output can get is bounded by
its own length and its values; the sandbox alone would bound neither. Of times, `times.py` has filters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from msgspec import Struct

from syncline.model.errors import Invalid
from syncline.sdk import times

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.sandbox import SandboxedEnvironment

FILTERS = (
    "date",
    "default",
    "first",
    "int",
    "join",
    "last",
    "length",
    "lower",
    "minus",
    "plus",
    "replace",
    "split",
    "string",
    "tojson",
    "trim",
    "upper",
    "urlencode",
)
TESTS = ("defined", "undefined", "none", "true", "false")
#: Filters and tests that take what isn't there.
_ABSENT = frozenset({"default", "defined", "undefined"})
#: Longest output in characters: longer than any URL that servers accept.
MAX_OUTPUT = 64 * 1024
_MAX_NODES = 500
#: A named value in the plainest of ways.
_NAMED = re.compile(r"\{\{ *([A-Za-z]\w*(?:\.[A-Za-z]\w*)*) *\}\}", re.ASCII)
#: What means more in a template than its characters, or may, beside a value.
_MEANS_MORE = re.compile(r"\{[{%#]|\{\Z|\r")
#: Words that are no names.
_WORDS_OF_JINJA = frozenset({"and", "else", "false", "if", "in", "is", "none", "not", "or", "self", "super", "true"})


class TemplateError(ValueError):
    """What is wrong with a template, and where: line and column count from 1.

    >>> try:
    ...     compile_template("{{ 7 * 7 }}")
    ... except TemplateError as error:
    ...     print(error.message, (error.line, error.column))
    a template must not use arithmetic (1, 1)
    """

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


class Plain(Struct, frozen=True):
    """A template of nothing but text and named values, which most are: each part a text or the names to a value.

    >>> Plain(("/sites/", ("config", "site")), quoted=True).render({"config": {"site": "a/b"}})
    '/sites/a%2Fb'
    """

    parts: tuple[str | tuple[str, ...], ...]
    quoted: bool

    def render(self, variables: Mapping[str, Any]) -> str | None:
        """The text; None where a value isn't a text or a whole number, or isn't there: that takes the whole engine."""
        found: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                found.append(part)
                continue
            value: Any = variables
            for name in part:
                value = value.get(name) if type(value) is dict else None
            if type(value) is not str and type(value) is not int:
                return None
            try:
                found.append(quote(str(value), safe=":") if self.quoted else str(value))
            except ValueError:  # half a character, or a number of thousands of digits: the engine says so
                return None
        text = "".join(found)
        return text if len(text) <= MAX_OUTPUT else None


class Template(Struct, frozen=True):
    """A compiled template. `names` are the variables it reads, such as {"config", "start"}, `paths` the dotted values.

    `needed` are the names that have to be there: it has no default for them, and doesn't ask whether they are.

    >>> compile_template("/sites/{{ config.site }}").names
    frozenset({'config'})
    >>> compile_template("/sites/{{ config.site }}").paths
    frozenset({'config.site'})
    >>> compile_template("{{ start | default('') if page is defined else config.at }}").needed
    frozenset({'config'})
    """

    text: str
    names: frozenset[str]
    paths: frozenset[str]
    needed: frozenset[str]
    _compiled: Callable[[], Any] | None
    _plain: Plain | None = None

    def render(self, variables: Mapping[str, Any]) -> str:
        """The text with values filled in. Raises `Invalid` (SYN431) for one that isn't there."""
        if self._compiled is None:
            return self.text
        if self._plain is not None and (text := self._plain.render(variables)) is not None:
            return text
        from jinja2 import TemplateError as JinjaError

        try:
            found = str(self._compiled().render(variables))
        except (JinjaError, TypeError, ValueError, OverflowError) as error:
            raise Invalid(
                f"template {self.text[:200]!r}: {error}",
                code="SYN431",
                help="Give the value in the integration's config, or a default: {{ config.x | default('') }}.",
            ) from error
        if len(found) > MAX_OUTPUT:
            raise Invalid(f"template {self.text[:200]!r} gives more than {MAX_OUTPUT} characters", code="SYN431")
        return found


@lru_cache(maxsize=512)
def compile_template(text: str, *, quoted: bool = False, whole: bool = False) -> Template:
    """
    Compiles a template. With `quoted`, values are percent-encoded, so that they stay inside a path segment. Of a text
    with values the end of its last line is left out, unless it is `whole`.

    Raises TemplateError for bad syntax and for everything outside the grammar.

    >>> compile_template("/sites/{{ config.site }}", quoted=True).render({"config": {"site": "a/b"}})
    '/sites/a%2Fb'
    """
    if "{" not in text:
        return Template(text, frozenset(), frozenset(), frozenset(), None)
    if (plain := _plain(text, quoted=quoted, whole=whole)) is not None:
        values = [part for part in plain.parts if not isinstance(part, str)]
        names = frozenset(names[0] for names in values)
        paths = frozenset(map(".".join, values))
        return Template(text, names, paths, names, partial(_engine, text, quoted=quoted, whole=whole), plain)
    from jinja2 import TemplateSyntaxError, nodes

    environment = _environment(quoted=quoted, whole=whole)
    try:
        tree = environment.parse(text)
        for count, node in enumerate(tree.find_all(nodes.Node)):
            refusal = _refusal(node) if count < _MAX_NODES else "is too long"
            if refusal:
                raise TemplateError(f"a template {refusal}", node.lineno, _column(text, node.lineno))
        compiled = environment.from_string(text)
    except TemplateSyntaxError as error:
        raise TemplateError(error.message or "syntax error", error.lineno, _column(text, error.lineno)) from error
    except RecursionError as error:
        raise TemplateError("a template is nested too deeply", 1, 1) from error
    names = frozenset(n.name for n in tree.find_all(nodes.Name))
    return Template(text, names, frozenset(_paths(tree)), frozenset(_needed(tree)), lambda: compiled)


@lru_cache(maxsize=512)
def _engine(text: str, *, quoted: bool, whole: bool) -> Any:
    return _environment(quoted=quoted, whole=whole).from_string(text)


def _plain(text: str, *, quoted: bool, whole: bool) -> Plain | None:
    """What a template of text and named values is made of, without the engine, whose import takes longer than a short
    read; None for any other.
    """
    *pieces, end = _NAMED.split(text)
    if not whole:
        end = end.removesuffix("\n")
    texts, values = [*pieces[::2], end], [tuple(names.split(".")) for names in pieces[1::2]]
    if len(texts) + sum(map(len, values)) >= _MAX_NODES or any(map(_MEANS_MORE.search, texts)):
        return None
    if any(names[0].lower() in _WORDS_OF_JINJA for names in values):
        return None
    parts: list[str | tuple[str, ...]] = [texts[0]]
    for names, following in zip(values, texts[1:], strict=True):
        parts += (names, following)
    return Plain(tuple(part for part in parts if part), quoted)


def _needed(tree: nodes.Node) -> Iterator[str]:
    """Names that have to be there: all that are read without a default of their own, unless it is asked whether they
    are.
    """
    from jinja2 import nodes

    tests = [test for test in tree.find_all(nodes.Test) if test.name in _ABSENT]
    asked = {name.name for test in tests for name in test.find_all(nodes.Name)}
    given = [_root(node.node) for node in tree.find_all(nodes.Filter) if node.name in _ABSENT]
    for name in tree.find_all(nodes.Name):
        if name.name not in asked and not any(name is one for one in given):
            yield name.name


def _root(node: nodes.Expr | None) -> nodes.Expr | None:
    """What a field is one of: `page` of `page.number`."""
    from jinja2 import nodes

    while isinstance(node, nodes.Getattr | nodes.Getitem):
        node = node.node
    return node


def _paths(tree: nodes.Node) -> Iterator[str]:
    """The values that a template reads, each as far down as it names it."""
    from jinja2 import nodes

    match tree:
        case nodes.Name(name=name):
            yield name
        case nodes.Getattr() | nodes.Getitem():
            parts: list[str] = []
            node: nodes.Node = tree
            while isinstance(node, nodes.Getattr | nodes.Getitem):
                item = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", None)
                # An index into a list ends what can be said of names.
                parts = [item, *parts] if isinstance(item, str) else []
                node = node.node
            inner = next(_paths(node), "")
            yield ".".join([inner, *parts]) if isinstance(node, nodes.Name) else inner
        case _:
            for child in tree.iter_child_nodes():
                yield from _paths(child)


class Value(Struct, frozen=True):
    """A compiled template that is one value alone, which keeps its type: `{{ config.limit }}` gives a number.

    >>> compile_value("{{ config.limit }}").find({"config": {"limit": 50}})
    50
    """

    template: Template
    _expression: Any

    def find(self, variables: Mapping[str, Any]) -> Any:
        """The value. Raises `Invalid` (SYN431) for one that isn't there."""
        if self._expression is None:
            return self.template.render(variables)
        from jinja2 import TemplateError as JinjaError
        from jinja2 import Undefined

        try:
            found = self._expression(**variables)
            if not isinstance(found, Undefined):
                return found
        except (JinjaError, TypeError, ValueError, OverflowError):
            pass
        self.template.render(variables)  # which says what is wrong
        return None


@lru_cache(maxsize=512)
def compile_value(text: str, *, whole: bool = False) -> Value:
    """
    Compiles a template whose text may be one `{{ value }}` alone. As `compile_template` does it, with the same errors.

    >>> compile_value("first {{ config.limit }}").find({"config": {"limit": 50}})
    'first 50'
    """
    template = compile_template(text, whole=whole)
    alone = text.strip()
    if not (template.names and alone.startswith("{{") and alone.endswith("}}")):
        return Value(template, None)
    from jinja2 import nodes

    environment = _environment(quoted=False, whole=whole)
    output = environment.parse(alone).body[0]
    if not isinstance(output, nodes.Output) or len(output.nodes) != 1:
        return Value(template, None)
    inner = alone.removeprefix("{{").removesuffix("}}").strip("-+ ")
    return Value(template, environment.compile_expression(inner, undefined_to_none=False))


_LIST = "a list is no text: `join` makes one of it, or let it stand alone in a JSON body or in a list of a parameter"
_OBJECT = "an object is no text: name a field of it, or write it as JSON with `tojson`"


class _NoText(list[Any]):
    """A list that stands for itself in JSON, alone in its text; it is no text."""

    def __str__(self) -> str:
        raise TypeError(_LIST)


class _Texts(_NoText):
    """What `split` gives."""


class Group(_NoText):
    """Records that a request is for together: what is a field of each is a list of these of the group.

    >>> text = "{{ accounts.id | join(',') }}"
    >>> compile_template(text).render({"accounts": Group([{"id": 1}, {"id": 2}])})
    '1,2'
    """


class JsonText(str):
    """JSON of a value, as its text stands; a list in it is one to `join`, and to a list of a parameter.

    >>> compile_template("{{ a | join }} {{ a }}").render({"a": JsonText('["x", 1.10]')})
    'x,1.10 ["x", 1.10]'
    """

    __slots__ = ()

    def value(self) -> Any:
        """What it stands for, numbers as they are written."""
        return json.loads(self, parse_float=str, parse_int=str)


def _join(value: object, separator: object = ",") -> str:
    """The filter `join`: the texts of a list's items, with a separator between them."""
    if isinstance(value, JsonText):
        value = value.value()
    if not isinstance(value, list):
        raise TypeError("`join` makes a text of a list")
    if any(isinstance(item, dict | list) for item in value):
        raise TypeError("`join` makes a text of values, and these are objects: name a field of them")
    between, texts = str(separator), ["" if item is None else _shown(item) for item in value]
    if sum(map(len, texts)) + len(between) * len(texts) > MAX_OUTPUT:
        raise ValueError(f"`join` gives more than {MAX_OUTPUT} characters")
    return between.join(texts)


def _replace(value: object, old: str, new: str) -> str:
    """The filter `replace`: a text with another one in each place of `old`."""
    if isinstance(value, list | Mapping):
        raise TypeError("`replace` is for texts: `join` makes one of a list, and a field is one of an object")
    text = "" if value is None else _shown(value)
    if len(text) + text.count(old) * (len(new) - len(old)) > MAX_OUTPUT:
        raise ValueError(f"`replace` gives more than {MAX_OUTPUT} characters")
    return text.replace(old, new)


def _shown(item: object) -> str:
    return str(item).lower() if isinstance(item, bool) else str(item)


def _split(text: object) -> _Texts:
    """The filter `split`: what commas separate in a text, without spaces around it and without what is empty."""
    return _Texts(part for each in str(text).split(",") if (part := each.strip()))


def _column(text: str, line: int) -> int:
    lines = text.splitlines() or [""]
    row = lines[min(line, len(lines)) - 1]
    found = [at for mark in ("{{", "{%", "{#") if (at := row.find(mark)) >= 0]
    return min(found, default=0) + 1


def _refusal(node: nodes.Node) -> str:
    """Why a node isn't in the grammar; empty when it is. Everything that isn't named here is refused."""
    from jinja2 import nodes

    match node:
        case nodes.Output() | nodes.TemplateData() | nodes.CondExpr() | nodes.Concat():
            return ""
        case nodes.And() | nodes.Or() | nodes.Not() | nodes.Compare() | nodes.Operand():
            return ""
        case nodes.Const(value=value):
            return "" if value is None or isinstance(value, str | bool | int | float) else "has only simple constants"
        case nodes.Name(name=name):
            return "must not use names with '_' in front" if name.startswith("_") else ""
        case nodes.Getattr(attr=attr):
            return "must not use names with '_' in front" if attr.startswith("_") else ""
        case nodes.Getitem(arg=nodes.Const(value=value)):
            private = isinstance(value, str) and value.startswith("_")
            return "must not use names with '_' in front" if private else ""
        case nodes.Filter(name=name, args=args, kwargs=kwargs):
            if name not in FILTERS:
                return f"has no filter {name!r}: expected one of {', '.join(FILTERS)}"
            simple = all(isinstance(a, nodes.Const) for a in args) and not kwargs
            if not simple or node.dyn_args or node.dyn_kwargs:
                return "has only constants in filters"
            values = [a.value for a in args if isinstance(a, nodes.Const)]
            if name == "replace":
                good = len(values) == 2 and all(isinstance(value, str) for value in values) and values[0] != ""
                return "" if good else "takes two texts in `replace`, what it looks for and what it writes there"
            return times.refusal(name, values) if name in times.FILTERS else ""
        case nodes.Test(name=name):
            return "" if name in TESTS else f"has no test {name!r}: expected one of {', '.join(TESTS)}"
        case _:
            return f"must not use {_WORDS.get(type(node).__name__, type(node).__name__.lower())}"


_WORDS = {
    "For": "loops",
    "Call": "calls",
    "Set": "assignments",
    "Assign": "assignments",
    "If": "{% if %} (write: {{ a if condition else b }})",
    "Add": "arithmetic (join text with ~)",
    "Getitem": "computed subscripts",
} | dict.fromkeys(("Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow", "Neg", "Pos"), "arithmetic")


@cache
def _environment(*, quoted: bool, whole: bool) -> SandboxedEnvironment:
    from jinja2 import StrictUndefined, Undefined
    from jinja2.filters import FILTERS as ALL_FILTERS
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from jinja2.tests import TESTS as ALL_TESTS

    class Environment(ImmutableSandboxedEnvironment):
        """Attributes are items of mappings, never attributes of Python objects."""

        def getattr(self, obj: Any, attribute: str) -> Any:
            return self.getitem(obj, attribute)

        def getitem(self, obj: Any, argument: Any) -> Any:
            if isinstance(obj, Mapping) and argument in obj:
                return obj[argument]
            if isinstance(obj, list | tuple) and type(argument) is int and -len(obj) <= argument < len(obj):
                return obj[argument]
            if isinstance(obj, Group) and isinstance(argument, str):
                found = Group(self.getitem(item, argument) for item in obj)
                return next((item for item in found if isinstance(item, Undefined)), found)
            return obj if isinstance(obj, Undefined) else self.undefined(obj=obj, name=argument)

    def finalize(value: Any) -> Any:
        if value is None:
            return ""
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, list | tuple | Mapping):
            raise TypeError(_OBJECT if isinstance(value, Mapping) else _LIST)
        return quote(str(value), safe=":") if quoted and not isinstance(value, Undefined) else value

    environment = Environment(
        undefined=StrictUndefined, autoescape=False, finalize=finalize, optimized=False, keep_trailing_newline=whole
    )
    environment.filters = {name: ALL_FILTERS[name] for name in FILTERS if name in ALL_FILTERS}
    environment.filters |= {"split": _split, "join": _join, "replace": _replace, **times.FILTERS}
    environment.tests = {name: ALL_TESTS[name] for name in TESTS}
    environment.globals = {}
    return environment
