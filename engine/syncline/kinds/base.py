"""What every spec model shares: closed, frozen, camelCase in YAML, snake_case in Python; and the scalars with units."""

from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar
from weakref import WeakValueDictionary

from msgspec import Struct
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from syncline.model import units

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler


def camel(name: str) -> str:
    """How a field is written in YAML: `max_rejects` as `maxRejects`.

    pydantic's own looks for patterns in each name, of which there are nine hundred when a command starts.

    >>> camel("max_rejects"), camel("streams")
    ('maxRejects', 'streams')
    """
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


class Spec(BaseModel):
    """Base of all spec models. An unknown field is an error; models are built when first used, to start fast."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=camel,
        defer_build=True,
        hide_input_in_errors=True,
        strict=True,
    )

    def model_post_init(self, _context: Any, /) -> None:
        """Shares the set of the names of fields that were given: of thousands of specs most were given the same."""
        given = self.__pydantic_fields_set__
        object.__setattr__(self, "__pydantic_fields_set__", _GIVEN.setdefault(frozenset(given), given))


#: Sets of names, by themselves. Nobody changes them: specs are frozen, and a copy of one has a set of its own.
_GIVEN: dict[frozenset[str], set[str]] = {}


_S = TypeVar("_S", bound=Spec)
#: Specs in memory that are shared, by their types and what was given for them; and how many before all are forgotten,
#: so that ones which nothing is like take no room for long.
_SHARED: Final[WeakValueDictionary[tuple[type[Spec], str], Spec]] = WeakValueDictionary()
_MOST_SHARED: Final = 4_096


def shared(spec: _S) -> _S:
    """
    The spec in memory that was given the same values, if there is one, else this one.

    It takes some microseconds, and is for parts that thousands of declarations have in common.
    """
    if len(_SHARED) >= _MOST_SHARED:
        _SHARED.clear()
    found = _SHARED.setdefault((type(spec), spec.model_dump_json(by_alias=True, exclude_unset=True)), spec)
    assert isinstance(found, type(spec))
    return found


class Form(Struct, frozen=True):
    """How the texts of a type are written. A field's own description says what its value means; both are shown."""

    text: str

    def __get_pydantic_json_schema__(self, schema: Any, handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        """Describes entries of lists and maps in JSON Schema; a field's own description replaces it."""
        return {**handler(schema), "description": self.text}


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

Name = Annotated[str, Field(pattern=NAME_PATTERN), Form("A DNS-1123 label: lower-case letters, digits and '-'.")]
#: Names of fields, columns, streams and tables.
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
StreamName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$")]
# What editors are told besides (`json_schema_extra`), since they can't run the functions.
Duration = Annotated[
    str,
    _checked(units.duration),
    Field(examples=["30s"], json_schema_extra={"pattern": units.DURATION_PATTERN}),
    Form("A duration: 500ms, 30s, 1h30m, 7d."),
]
#: A duration that a setting of the integration may give.
GivenDuration = Annotated[
    str,
    _checked(lambda text: text.startswith("config.") or units.duration(text)),
    Field(examples=["7d"], json_schema_extra={"pattern": rf"{units.DURATION_PATTERN}|^config\..+$"}),
    Form("A duration: 30s, 1h30m, 7d; or config.NAME for a setting that holds one."),
]
Rate = Annotated[
    str,
    _checked(units.rate),
    Field(examples=["100/min"], json_schema_extra={"pattern": units.RATE_PATTERN}),
    Form("A rate: 100/min."),
]
Share = Annotated[
    str,
    BeforeValidator(_share),
    Field(examples=["1%"], json_schema_extra={"type": ["string", "integer"], "pattern": units.SHARE_PATTERN}),
    Form("A share (1%) or a count (500)."),
]
Jmespath = Annotated[str, Field(min_length=1, max_length=4096), Form("A JMESPath expression.")]
Cel = Annotated[str, Field(min_length=1, max_length=4096), Form("A CEL expression.")]
Template = Annotated[str, Field(min_length=1, max_length=8192), Form("A Jinja2 template from a closed grammar.")]
#: A data class such as `pii.email`, `phi.diagnosis`, `pci.pan` or `secret`.
DataClass = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(\.[a-z0-9_]+)*$"), Form("A data class: pii.email.")]
#: A pattern over names, classes or regions: `*` matches any run of characters.
Glob = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.*/-]+$"), Form("A name or a pattern with '*'.")]


class SecretKey(Spec):
    """Where a secret is kept: never its value."""

    provider: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9-]+$",
            description="Secret provider: env, file, sops, vault, vault-dynamic, aws, keyring, exec or pkcs11.",
        ),
    ]
    key: Annotated[
        str,
        Field(
            min_length=1,
            max_length=512,
            description="What the provider calls it: the variable's name, or the file's path.",
        ),
    ]
    path: Annotated[
        str,
        Field(default="", description="Dotted path of one value inside a structured secret: db.password, keys.0."),
    ] = ""


class SecretRef(Spec):
    """A reference to a secret: `{secretRef: {provider: env, key: API_TOKEN}}`."""

    secret_ref: Annotated[SecretKey, Field(description="Where the secret is kept; it is read when a run needs it.")]


#: A value that isn't secret (a user name, a client id), or a reference.
Value = str | SecretRef
