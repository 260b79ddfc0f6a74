"""Parameters of a URL and fields of a form, compiled: each a text, or a list, which is sent as one for each item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from syncline.connectors.rest.exchange.templates import compiled, compiled_value
from syncline.kinds.request import Parameter
from syncline.model.errors import Invalid
from syncline.sdk.template import MAX_OUTPUT, JsonText, Template, Value


class Parameters(Struct, frozen=True):
    """Templates by name. `names` are the variables that they read."""

    declared: Mapping[str, Template | tuple[Value, ...]]
    names: frozenset[str]

    def render(self, variables: Mapping[str, Any]) -> dict[str, str | Sequence[str]]:
        """What is sent, by name; what comes out empty is left out. `Invalid` (SYN431) for what can't be filled."""
        found: dict[str, str | Sequence[str]] = {}
        for name, declared in self.declared.items():
            value = declared.render(variables) if isinstance(declared, Template) else _each(name, declared, variables)
            if value:
                found[name] = value
        return found


def compile_parameters(declared: Mapping[str, Parameter]) -> Parameters:
    """
    Compiles declared parameters. `Invalid` (SYN430) for a wrong template.

    >>> found = compile_parameters({"tag": ["{{ config.tags | split }}", "new"], "of": "{{ config.of }}"})
    >>> found.render({"config": {"tags": "a, b", "of": ""}})
    {'tag': ['a', 'b', 'new']}
    """
    names: set[str] = set()
    made: dict[str, Template | tuple[Value, ...]] = {}
    for name, text in declared.items():
        if isinstance(text, str):
            made[name] = template = compiled(text)
            names |= template.names
        else:
            made[name] = values = tuple(map(compiled_value, text))
            names = names.union(*(value.template.names for value in values))
    return Parameters(made, frozenset(names))


def _each(name: str, items: Sequence[Value], variables: Mapping[str, Any]) -> Sequence[str]:
    found = [text for item in items for text in _texts(name, item.find(variables)) if text]
    if sum(map(len, found)) > MAX_OUTPUT:
        raise Invalid(f"the parameter {name} has items of more than {MAX_OUTPUT} characters together", code="SYN431")
    return found


def _texts(name: str, value: object) -> Iterator[str]:
    """The texts that a value of a list stands for: itself, or, of a list, its items."""
    match value.value() if isinstance(value, JsonText) else value:
        case list() | tuple() as items:
            for item in items:
                if isinstance(item, list | tuple):
                    raise _no_text(name, "a list in a list")
                yield from _texts(name, item)
        case None:
            pass
        case bool() as found:
            yield str(found).lower()
        case Mapping():
            raise _no_text(name, "an object")
        case found:
            yield str(found)


def _no_text(name: str, what: str) -> Invalid:
    return Invalid(
        f"an item of the parameter {name} is {what}, and a parameter is a text",
        code="SYN431",
        help="Name a field of it: {{ account.id }}, or write it as JSON: {{ account | tojson }}.",
    )
