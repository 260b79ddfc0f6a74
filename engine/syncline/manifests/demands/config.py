"""An integration's configuration against what its connector asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from syncline.kinds.base import SecretRef
from syncline.kinds.connector import ConfigProperty, ConfigSchema
from syncline.manifests.demands.checks import value_fits
from syncline.manifests.findings import Problem
from syncline.manifests.text import listed, nearest
from syncline.model.manifest import Path

PATH: Final[Path] = ("spec", "config")
_TYPES: Final = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}
_FORMATS: Final = {
    "date": r"\d{4}-\d{2}-\d{2}",
    "date-time": r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})?",
    "uri": r"[A-Za-z][A-Za-z0-9+.-]*:\S+",
    "hostname": r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?",
    "path": r"[^\0]+",
}


def check_config(config: Mapping[str, Any], schema: ConfigSchema, connector: str) -> Iterator[Problem]:
    """What is wrong with the settings of an integration of this connector."""
    for name in schema.required:
        if name not in config:
            about = schema.properties[name].description if name in schema.properties else ""
            yield Problem("SYN227", PATH, f"the connector {connector!r} needs the setting {name!r}", expected=about)
    for name, value in config.items():
        setting = schema.properties.get(name)
        if setting is None:
            yield Problem(
                "SYN226",
                (*PATH, name),
                f"the connector {connector!r} has no setting {name!r}",
                expected=listed(sorted(schema.properties)) or "no settings",
                suggestion=nearest(name, schema.properties),
                at_key=True,
            )
        else:
            yield from _setting(name, value, setting)


def _setting(name: str, value: Any, setting: ConfigProperty) -> Iterator[Problem]:
    path = (*PATH, name)
    if isinstance(value, SecretRef):
        return
    if setting.secret:
        yield Problem(
            "SYN229",
            path,
            f"the setting {name!r} is a secret and must be a reference",
            expected="a secretRef: {secretRef: {provider: env, key: NAME}}",
        )
    elif not value_fits(setting, value):
        yield Problem("SYN228", path, f"the setting {name!r} has the wrong type", expected=_TYPES[setting.type])
    elif setting.enum and str(value) not in setting.enum:
        yield Problem(
            "SYN228",
            path,
            f"{value!r} is not one of the values of the setting {name!r}",
            expected=listed(setting.enum),
            suggestion=nearest(str(value), setting.enum),
        )
    elif (setting.pattern and not _matches(setting.pattern, value)) or (
        setting.format and not re.fullmatch(_FORMATS[setting.format], str(value))
    ):
        expected = setting.description or setting.format or f"text that matches {setting.pattern}"
        yield Problem("SYN228", path, f"the setting {name!r} has a form that the connector doesn't accept", expected)


def _matches(pattern: str, value: object) -> bool:
    import re2  # patterns come from manifests: no backtracking

    return re2.fullmatch(pattern, str(value)) is not None
