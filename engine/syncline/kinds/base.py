"""What every spec model shares: closed, frozen, camelCase in YAML, snake_case in Python; and the scalars with units."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from syncline.model import units


class Spec(BaseModel):
    """Base of all spec models. An unknown field is an error; models are built when first used, to start fast."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        defer_build=True,
        hide_input_in_errors=True,
        strict=True,
    )


def _checked(parse: Any) -> BeforeValidator:
    def check(value: Any) -> Any:
        if isinstance(value, str):
            parse(value)
        return value

    return BeforeValidator(check)


def _share(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        units.Share.parse(value)
    return value


#: DNS-1123 label, as Kubernetes names objects.
NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"

Name = Annotated[str, Field(pattern=NAME_PATTERN, description="A DNS-1123 label: lower-case letters, digits and '-'.")]
#: Names of fields, columns, streams and tables.
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
StreamName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$")]
# What editors are told besides (`json_schema_extra`), since they can't run the functions.
Duration = Annotated[
    str,
    _checked(units.duration),
    Field(
        description="A duration: 500ms, 30s, 1h30m, 7d.",
        examples=["30s"],
        json_schema_extra={"pattern": units.DURATION_PATTERN},
    ),
]
Rate = Annotated[
    str,
    _checked(units.rate),
    Field(description="A rate: 100/min.", examples=["100/min"], json_schema_extra={"pattern": units.RATE_PATTERN}),
]
Share = Annotated[
    str,
    BeforeValidator(_share),
    Field(
        description="A share (1%) or a count (500).",
        examples=["1%"],
        json_schema_extra={"type": ["string", "integer"], "pattern": units.SHARE_PATTERN},
    ),
]
Jmespath = Annotated[str, Field(min_length=1, max_length=4096, description="A JMESPath expression.")]
Cel = Annotated[str, Field(min_length=1, max_length=4096, description="A CEL expression.")]
Template = Annotated[str, Field(min_length=1, max_length=8192, description="A Jinja2 template from a closed grammar.")]
#: A data class such as `pii.email`, `phi.diagnosis`, `pci.pan` or `secret`.
DataClass = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(\.[a-z0-9_]+)*$", description="A data class: pii.email.")]
#: A pattern over names, classes or regions: `*` matches any run of characters.
Glob = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.*/-]+$", description="A name or a pattern with '*'.")]


class SecretKey(Spec):
    """Where a secret is kept: never its value."""

    provider: Annotated[str, Field(pattern=r"^[a-z0-9-]+$", description="A secret provider: env, file or sops.")]
    key: Annotated[str, Field(min_length=1, max_length=512, description="What the provider calls it.")]
    path: Annotated[str, Field(default="", description="A dotted path inside the secret, for structured ones.")] = ""


class SecretRef(Spec):
    """A reference to a secret: `{secretRef: {provider: env, key: API_TOKEN}}`."""

    secret_ref: SecretKey
