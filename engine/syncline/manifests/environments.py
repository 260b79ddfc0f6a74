"""The environments of a repository: `environments.yaml` at its root, with their variables and the values of these.

    apiVersion: syncline/v1
    kind: Environments
    spec:
      variables:
        site: {description: Account at the help desk}        # no default: each environment gives it
        days: {type: integer, default: 7}
        region: {enum: [eu-west, eu-north], default: eu-west}
      environments:
        staging: {values: {site: acme-test}}
        production: {values: {site: acme, days: 90}}

An environment's patches are the manifests under `environments/NAME/`. A secret is no variable: each environment has
its own behind the same reference.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Annotated, Final, Literal

import orjson
from msgspec import Struct, field
from pydantic import Field, ValidationError

from syncline.kinds.base import Identifier, Name, Spec
from syncline.manifests import credentials
from syncline.manifests.document import diagnose
from syncline.manifests.envelope import API_VERSION
from syncline.manifests.files import SAVED, File, Unsaved, read
from syncline.manifests.findings import Problem, credential, problems
from syncline.manifests.load import masked
from syncline.manifests.node import Node, Places
from syncline.manifests.text import Text, listed, nearest
from syncline.manifests.yaml import compose
from syncline.model.diagnostic import Diagnostic, Place, Severity
from syncline.model.manifest import Path

FILE: Final = "environments.yaml"
FOLDER: Final = "environments"
KIND: Final = "Environments"

Value = str | int | bool
_SPEC: Final[Path] = ("spec",)
_TYPES: Final = {"string": str, "integer": int, "boolean": bool}
_WORDS: Final = {"string": "text", "integer": "a whole number", "boolean": "true or false"}


class Variable(Spec):
    """What differs between environments, by name. Without a default, every environment must give a value."""

    type: Annotated[Literal["string", "integer", "boolean"], Field(description="Type of its values.")] = "string"
    enum: Annotated[tuple[str, ...], Field(description="The only values that it may have; texts.")] = ()
    default: Annotated[Value | None, Field(description="Its value where an environment gives none.")] = None
    description: Annotated[str, Field(description="What it is for.")] = ""


class Environment(Spec):
    """A place that the same manifests are applied to, with its own state."""

    values: Annotated[dict[Identifier, Value], Field(default_factory=dict, description="Values of variables, by name.")]
    formerly: Annotated[
        Name | None, Field(description="The name that it had before: its state was applied under that one.")
    ] = None
    description: Annotated[str, Field(description="What it is for.")] = ""


class EnvironmentsSpec(Spec):
    """All variables and environments of a repository."""

    variables: Annotated[
        dict[Identifier, Variable], Field(default_factory=dict, description="Variables by name, as in ${site}.")
    ]
    environments: Annotated[dict[Name, Environment], Field(min_length=1, description="Environments by name.")]


class EnvironmentsFile(Spec):
    """The file as a whole. It declares no object, so that it has no metadata."""

    api_version: Literal["syncline/v1"]
    kind: Literal["Environments"]
    spec: EnvironmentsSpec


class Given(Struct, frozen=True):
    """The value of a variable in an environment, and where it is given."""

    value: Value
    place: Place


class Environments(Struct, frozen=True):
    """What the file declares. `spec` is None when it isn't valid; `diagnostics` say why."""

    text: Text
    spec: EnvironmentsSpec | None = None
    places: Mapping[Path, Place] = field(default_factory=dict)
    key_places: Mapping[Path, Place] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The environments, in the order of the file."""
        return tuple(self.spec.environments) if self.spec else ()

    def given(self, environment: str) -> dict[str, Given]:
        """The variables of an environment with their values; those without a value are left out."""
        assert self.spec is not None
        found = {}
        for name, variable in self.spec.variables.items():
            value = self.spec.environments[environment].values.get(name, variable.default)
            own = self.places.get((*_SPEC, "environments", environment, "values", name))
            place = own or self.places.get((*_SPEC, "variables", name, "default"))
            if value is not None and place is not None:
                found[name] = Given(value, place)
        return found

    def variable_place(self, name: str) -> Place:
        """Where a variable is declared."""
        return self.key_places[(*_SPEC, "variables", name)]


def read_environments(root: FilePath, unsaved: Unsaved = SAVED) -> Environments | None:
    """The environments of a repository; None where it declares none."""
    if FILE not in unsaved and not (root / FILE).is_file():
        return None
    file = read(root, FILE, unsaved)
    if not isinstance(file, File):
        if file.severity is not Severity.error:
            return None  # another program's, of which loading the manifests tells
        return Environments(Text(FILE, ""), diagnostics=(file,))
    composed = compose(file.text)
    if not composed.documents and composed.diagnostics and file.ours:
        return Environments(file.text, diagnostics=tuple(composed.diagnostics))
    document = next((node for node in composed.documents if _is_ours(node)), None)
    if document is None:
        return None
    spec, found = _checked(document, composed.documents, file.text)
    keys = Places(FILE, document, of_keys=True)
    places = Places(FILE, document)
    diagnostics = [*composed.diagnostics, *(diagnose(p, {FILE: file.text}, places, keys) for p in found)]
    secrets = [node for p in found if p.code == "SYN210" and (node := document.at(p.path)) is not None]
    diagnostics = [masked(d, [n for n in secrets if isinstance(n.data, str)], FILE) for d in diagnostics]
    return Environments(file.text, None if diagnostics else spec, places, keys, tuple(diagnostics))


def _is_ours(document: Node) -> bool:
    return isinstance(document.data, dict) and (
        document.data.get("kind") == KIND or str(document.data.get("apiVersion", "")).startswith("syncline/")
    )


def _checked(document: Node, all_: list[Node], text: Text) -> tuple[EnvironmentsSpec | None, list[Problem]]:
    found = [credential(path, what) for path, what in credentials.find(document, text.content)]
    if len(all_) > 1:
        found.append(Problem("SYN286", (), f"{FILE} has {len(all_)} documents", expected="one: kind: Environments"))
    try:
        spec = EnvironmentsFile.model_validate_json(orjson.dumps(document.data), strict=True).spec
    except ValidationError as error:
        leaked = {p.path for p in found}
        wrong = problems(error.errors(include_url=False), document, (), EnvironmentsFile)
        return None, [*found, *(_at_envelope(p) for p in wrong if p.path not in leaked)]
    return spec, [*found, *_variables(spec), *_values(spec)]


def _at_envelope(problem: Problem) -> Problem:
    if problem.path == ("kind",) and problem.code == "SYN204":
        return Problem("SYN286", ("kind",), f"{FILE} declares the environments, and nothing else", f"kind: {KIND}")
    if problem.path == ("apiVersion",) and problem.code == "SYN204":
        return Problem("SYN206", ("apiVersion",), "unknown apiVersion", API_VERSION, suggestion=API_VERSION)
    return problem


def _variables(spec: EnvironmentsSpec) -> Iterator[Problem]:
    for name, variable in spec.variables.items():
        path = (*_SPEC, "variables", name)
        if variable.enum and variable.type != "string":
            yield Problem("SYN284", (*path, "enum"), f"the variable {name!r} can't be {variable.type}", "type: string")
        if variable.default is None:
            continue
        if isinstance(variable.default, str) and credentials.names_one(name):
            yield credential((*path, "default"), f"the value of {name!r}")
        else:
            yield from _value(name, variable.default, variable, (*path, "default"))


def _values(spec: EnvironmentsSpec) -> Iterator[Problem]:
    for environment, declared in spec.environments.items():
        path = (*_SPEC, "environments", environment)
        for name, value in declared.values.items():
            variable = spec.variables.get(name)
            if variable is None:
                yield Problem(
                    "SYN282",
                    (*path, "values", name),
                    f"there is no variable {name!r}",
                    expected=listed(spec.variables) or "a variable that is declared",
                    suggestion=nearest(name, spec.variables),
                    help="Declare it under spec.variables, or remove the value.",
                    at_key=True,
                )
            else:
                yield from _value(name, value, variable, (*path, "values", name))
        lacking = [n for n, v in spec.variables.items() if v.default is None and n not in declared.values]
        for name in lacking:
            yield Problem(
                "SYN283",
                path,
                f"the environment {environment!r} gives the variable {name!r} no value, and it has no default",
                expected=f"values: {{{name}: …}}",
                help=spec.variables[name].description,
                at_key=True,
            )
        if declared.formerly in spec.environments:
            yield Problem(
                "SYN286",
                (*path, "formerly"),
                f"{declared.formerly!r} is still an environment of its own",
                help="Remove the old one, or `formerly`.",
            )


def _value(name: str, value: Value, variable: Variable, path: Path) -> Iterator[Problem]:
    if type(value) is not _TYPES[variable.type]:
        yield Problem(
            "SYN284", path, f"the variable {name!r} has a value of the wrong type", expected=_WORDS[variable.type]
        )
    elif variable.enum and value not in variable.enum:
        yield Problem(
            "SYN284",
            path,
            f"{value!r} is not one of the values of the variable {name!r}",
            expected=listed(variable.enum),
            suggestion=nearest(str(value), variable.enum),
        )
