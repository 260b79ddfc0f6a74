"""Settings in JMESPath expressions: `config('site')` is a setting, `split(config('ids'))` what commas separate in one.

They are put in as literals when an expression is compiled, so that it costs nothing for each record, and stays an
expression over one document. A setting that isn't given is null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

#: Its functions, which JMESPath doesn't have by itself.
CONFIG: Final = "config"
SPLIT: Final = "split"


class ConfiguredError(ValueError):
    """What is wrong with a setting in an expression, for people.

    >>> import jmespath
    >>> try:
    ...     list(settings_in(jmespath.compile("config(ids)").parsed))
    ... except ConfiguredError as error:
    ...     print(error)
    config takes the name of a setting: config('NAME')
    """


def settings_in(tree: Any) -> Iterator[str]:
    """
    The names of settings in a parsed expression. ConfiguredError where one isn't named by a text, or is none.

    >>> import jmespath
    >>> list(settings_in(jmespath.compile("!config('ids') || contains(split(config('ids')), id)").parsed))
    ['ids', 'ids']
    """
    name = _setting(tree)
    if name is not None:
        yield name
        return
    for child in tree["children"]:
        if isinstance(child, dict):
            yield from settings_in(child)


def with_settings(tree: Any, config: Mapping[str, Any]) -> Any:
    """A parsed expression with the values of settings in their places. ConfiguredError as of `settings_in`.

    >>> import jmespath
    >>> with_settings(jmespath.compile("split(config('ids'))").parsed, {"ids": "a, b"})
    {'type': 'literal', 'value': ['a', 'b'], 'children': []}
    """
    name = _setting(tree)
    if name is None:
        children = [with_settings(c, config) if isinstance(c, dict) else c for c in tree["children"]]
        return {**tree, "children": children}
    found = config.get(name)
    if tree["value"] == SPLIT:
        found = [part for each in str(found or "").split(",") if (part := each.strip())]
    return {"type": "literal", "value": found, "children": []}


def _setting(node: Any) -> str | None:
    """The name of the setting that a call of one of the functions stands for; None for anything else."""
    if node["type"] != "function_expression" or node["value"] not in {CONFIG, SPLIT}:
        return None
    (inner, *more) = node["children"] or [None]
    if node["value"] == SPLIT:
        if inner is None or more or inner["type"] != "function_expression" or inner["value"] != CONFIG:
            raise ConfiguredError("split takes one setting: split(config('NAME'))")
        return _setting(inner)
    if inner is None or more or inner["type"] != "literal" or not isinstance(inner["value"], str):
        raise ConfiguredError("config takes the name of a setting: config('NAME')")
    return str(inner["value"])
