"""The texts in a declared JSON value, each with its path: templates stand anywhere in bodies, variables and claims."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.model.manifest import Path


def texts_in(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text in a value, in its order; names of fields are none."""
    match value:
        case str():
            yield path, value
        case dict():
            for name, inner in value.items():
                yield from texts_in(inner, (*path, name))
        case list() | tuple():
            for index, inner in enumerate(value):
                yield from texts_in(inner, (*path, index))
        case _:
            pass
