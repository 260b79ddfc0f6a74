"""Compiles a mapping: expressions parsed and type-checked, constants cast, checks made rules, lineage recorded.

Pure: no column library is imported, so that `validate` starts fast. `columns.py` binds the result to real columns. All
findings of a mapping are returned together; the fields that have none are compiled all the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from syncline.kinds.mapping import MappedField, MappingSpec, Protect
from syncline.mapping import exact
from syncline.mapping.checks import BadCheck, Rule, rules, typed
from syncline.mapping.exact import Target
from syncline.mapping.expression import Expression, parse, reads
from syncline.mapping.protection import Protection, protection_of, rules_of, unfit, written_type
from syncline.mapping.refused import Refused
from syncline.mapping.targets import BadTarget, target_of
from syncline.mapping.template import parse_template
from syncline.mapping.types import category, check_condition, named, type_of
from syncline.model.diagnostic import Diagnostic, Place, Severity
from syncline.model.manifest import Manifest, Path
from syncline.model.schema import STRING, DataType, Field, Schema

#: Types of target fields by which a person may be told.
_NAME = re.compile(r"[A-Za-z_]\w*")
_TELLING = frozenset({"string", "integer", "int32"})


#: The source of what is made of the whole record, where nobody has declared which fields that has.
WHOLE: Final = "*"


class FieldFlow(Struct, frozen=True):
    """A source field that reaches a target field, the classes of both, and what protects it on the way.

    `source_classes` are those of the field, of the objects around it and of everything in it. `classes` are those of
    the target: of every field that its expression reads (conditions and the key of a lookup included), and the declared
    one. A declared class adds to them and takes none away: only a protection does. Sorted.

    What decides whether a record is written at all (`where`, checks) is no flow: it is seen in the number of records,
    not in a value.
    """

    source: str
    source_classes: tuple[str, ...]
    target: str
    classes: tuple[str, ...]
    protection: Protection
    place: Place

    @property
    def source_class(self) -> str:
        """The source's classes, for people."""
        return ", ".join(self.source_classes)

    @property
    def target_class(self) -> str:
        """The target's classes, for people."""
        return ", ".join(self.classes)


class CompiledField(Struct, frozen=True):
    """A target field, ready to be bound; `index` is its position in the manifest.

    `expression` is None for a constant; `const`, `default` and the values of `lookup` are typed as the target is.
    `protect` is how it is protected, as declared, and `protection` what that is called.
    """

    name: str
    index: int
    expression: Expression | None
    target: Target
    const: Any = None
    default: Any = None
    lookup: dict[str, Any] | None = None
    required: bool = False
    rules: tuple[Rule, ...] = ()
    protection: Protection = ""
    protect: Protect | None = None


class Compiled(Struct, frozen=True, weakref=True):
    """A compiled mapping.

    `target` is the schema of what is written (dropped fields are not in it); `reads` the dotted paths of all source
    fields used, in order of first use; `flows` the lineage, dropped fields included. It may be bound only when no
    diagnostic is an error.
    """

    manifest: Manifest
    spec: MappingSpec
    fields: tuple[CompiledField, ...]
    where: Expression | None
    target: Schema
    reads: tuple[str, ...]
    flows: tuple[FieldFlow, ...]
    diagnostics: tuple[Diagnostic, ...]


def compile_mapping(manifest: Manifest, source: Schema | None) -> Compiled:
    """Compiles a Mapping over the schema of its source; None where that is not known before it is read."""
    return _Compiler(manifest, source).run()


@lru_cache(maxsize=4_096)
def _written(name: str, data_type: DataType, data_class: str, *, nullable: bool) -> Field:
    """The same field, once: thousands of mappings write the same."""
    return Field(name, data_type, nullable=nullable, data_class=data_class)


class _Compiler:
    def __init__(self, manifest: Manifest, source: Schema | None) -> None:
        spec = manifest.spec
        assert isinstance(spec, MappingSpec)
        self._manifest = manifest
        self._spec = spec
        self._source = source
        self._findings: list[Diagnostic] = []
        self._reads: dict[str, None] = {}

    def run(self) -> Compiled:
        spec = self._spec
        where = self._where()
        compiled: list[CompiledField] = []
        flows: list[FieldFlow] = []
        target: list[Field] = []
        for index, field in enumerate(spec.fields):
            found = self._field(index, field)
            if found is None:
                found = CompiledField(field.to, index, None, Target(STRING), protection=protection_of(field))
                data_type = DataType.parse(field.type)
            else:
                compiled.append(found)
                data_type = found.target.type
            arriving = self._flows(index, field, found)
            flows += arriving
            if found.protection == "drop":
                continue
            written = written_type(field.protect, data_type)
            data_class = field.data_class or next((c for flow in arriving for c in flow.classes), "")
            target.append(_written(field.to, written, data_class, nullable=not self._required(field)))
        self._names()
        self._subjects(compiled)
        return Compiled(
            self._manifest,
            spec,
            tuple(compiled),
            where,
            Schema(tuple(target), spec.key),
            tuple(self._reads),
            tuple(flows),
            tuple(sorted(self._findings, key=Diagnostic.sort_key)),
        )

    def _subjects(self, compiled: Sequence[CompiledField]) -> None:
        """A person is told by one source field, and by a value that is written and can be looked for."""
        for kind, name in self._spec.subject.items():
            field = next((f for f in compiled if f.name == name), None)
            if field is None:
                continue  # no field, or one with findings of its own
            why = ""
            if field.protection in {"drop", "mask", "generalize"}:
                why = "its value is never written"
            elif field.target.type.name not in _TELLING:
                why = f"nothing is looked for by a {field.target.type}"
            elif field.lookup is not None or field.expression is None or len(set(reads(field.expression))) != 1:
                why = "it isn't taken from one source field"
            if why:
                self._add("SYN840", f"{name} can't tell a {kind}: {why}", ("spec", "subject", kind))

    def _required(self, field: MappedField) -> bool:
        # A key identifies a record: one without it could be neither updated nor found again.
        return field.required or field.to in self._spec.key

    def _where(self) -> Expression | None:
        text = self._spec.where
        if text is None:
            return None
        try:
            expression = parse(text)
            check_condition(expression, self._source)
        except Refused as refused:
            self._refused(refused, ("spec", "where"), text)
            return None
        self._note_reads(expression)
        return expression

    def _note_reads(self, expression: Expression) -> None:
        for path in reads(expression):
            names = [".".join(path)] if path else self._all_names()
            self._reads.update(dict.fromkeys(names))

    def _all_names(self) -> list[str]:
        return list(self._source.names) if self._source else [WHOLE]

    def _field(self, index: int, field: MappedField) -> CompiledField | None:
        before = len(self._findings)
        path: Path = ("spec", "fields", index)
        target = self._target(path, field)
        expression = self._expression(path, field)
        if expression is not None and target is not None:
            self._castable(path, field, expression, target)
        if target is None:
            return None
        const = self._typed(field.const, target, (*path, "const"), "const")
        default = self._typed(field.default, target, (*path, "default"), "default")
        lookup = None
        if field.lookup is not None:
            lookup = {k: self._typed(v, target, (*path, "lookup", k), "lookup") for k, v in field.lookup.items()}
        found_rules: tuple[Rule, ...] = ()
        try:
            found_rules = rules(field.check, target)
        except BadCheck as bad:
            self._add("SYN308", f"check of {field.to}: {bad.message}", (*path, "check", bad.part))
        if why := unfit(field.protect, target.type):
            self._add("SYN810", f"{field.to} can't be protected so: {why}", (*path, "protect"))
        if len(self._findings) > before:
            return None
        return CompiledField(
            field.to,
            index,
            expression,
            target,
            const,
            default,
            lookup,
            self._required(field),
            (*found_rules, *rules_of(field.protect)),
            protection_of(field),
            field.protect,
        )

    def _target(self, path: Path, field: MappedField) -> Target | None:
        try:
            return target_of(field)
        except BadTarget as bad:
            self._add("SYN307", bad.message, (*path, bad.part), help=bad.help)
            return None

    def _expression(self, path: Path, field: MappedField) -> Expression | None:
        given = [part for part in ("source", "const", "template") if part in field.model_fields_set]
        if len(given) != 1:
            said = " and ".join("from" if g == "source" else g for g in given) or "no source"
            self._add(
                "SYN309",
                f"{field.to} has {said}",
                path,
                expected="exactly one of from, const and template",
                help="" if given else f"Write from: {field.to} for the source field of the same name.",
            )
            return None
        part, text, read = (
            ("from", field.source, parse) if field.source else ("template", field.template, parse_template)
        )
        if text is None:
            return None
        try:
            expression = read(text)
            type_of(expression, self._source)
        except Refused as refused:
            self._refused(refused, (*path, part), text)
            return None
        self._note_reads(expression)
        return expression

    def _castable(self, path: Path, field: MappedField, expression: Expression, target: Target) -> None:
        found = type_of(expression, self._source)
        if found is None:
            return
        kind = category(found)
        name = kind if kind in {"list", "object"} else found.type.name
        place = (*path, "type") if "type" in field.model_fields_set else path
        if field.lookup is not None:
            if kind in {"list", "object", "json", "binary", "float"}:
                self._add("SYN306", f"{named(found)} has no lookup", (*path, "lookup"))
            return
        if why := exact.refusal(name, target):
            self._add(
                "SYN306",
                f"{named(found)} can't become {target.type}: {why}",
                place,
                help="Declare the type that it has, or convert it in the expression.",
            )

    def _typed(self, value: Any, target: Target, path: Path, part: str) -> Any:
        if value is None:
            return None
        if isinstance(value, list | dict):
            if target.type.name == "json":
                return exact.to_json(value)
            what = "a list" if isinstance(value, list) else "an object"
            self._add("SYN312", f"{part} is {what}, and the field is {target.type}", path)
            return None
        try:
            if target.type.name == "json":
                return exact.to_json(value)
            return typed(value, target, part)
        except BadCheck as bad:
            self._add("SYN312", f"{part}: {bad.message}", path, expected=f"a value of type {target.type}")
            return None

    def _flows(self, index: int, field: MappedField, found: CompiledField) -> list[FieldFlow]:
        if found.expression is None:
            return []
        paths = list(dict.fromkeys(reads(found.expression)))
        if () in paths:
            paths = [(name,) for name in self._all_names()]
        classes = [self._classes(path) for path in paths]
        declared = {field.data_class} if field.data_class else set()
        target_classes = tuple(sorted(declared.union(*classes)))
        place = self._manifest.place_of("spec", "fields", index)
        return [
            FieldFlow(".".join(path), tuple(sorted(own)), field.to, target_classes, found.protection, place)
            for path, own in zip(paths, classes, strict=True)
        ]

    def _classes(self, path: tuple[str, ...]) -> set[str]:
        """Classes of a source field: of the objects around it, its own, and of what is in it."""
        fields = self._source.fields if self._source else ()
        found: Field | None = None
        classes: set[str] = set()
        for name in path:
            around, found = found, next((f for f in fields if f.name == name), None)
            if found is None:  # a part that isn't declared may be any of what is in the whole
                return classes | (around.classes if around else set())
            classes |= {found.data_class} if found.data_class else set()
            fields = found.fields
        return classes | (found.classes if found else set())

    def _names(self) -> None:
        seen: set[str] = set()
        for index, field in enumerate(self._spec.fields):
            if field.to in seen:
                self._add("SYN310", f"{field.to} is written twice", ("spec", "fields", index, "to"))
            seen.add(field.to)
        dropped = {f.to for f in self._spec.fields if f.protect == "drop"}
        for position, name in enumerate(self._spec.key):
            if name not in seen:
                self._add(
                    "SYN311",
                    f"the key has {name}, which no field writes",
                    ("spec", "key", position),
                    suggestion=_closest(name, seen),
                )
            elif name in dropped:
                self._add("SYN311", f"the key has {name}, which is dropped", ("spec", "key", position))

    def _refused(self, refused: Refused, path: Path, text: str) -> None:
        place = self._manifest.place_of(*path)
        self._add(
            refused.code, refused.message, path, suggestion=refused.suggestion, help=refused.help,
            place=inside(place, text, refused.at, named=bool(refused.suggestion)),
        )  # fmt: skip

    def _add(
        self,
        code: str,
        message: str,
        path: Path,
        *,
        expected: str = "",
        suggestion: str = "",
        help: str = "",  # noqa: A002 - the field's word
        place: Place | None = None,
    ) -> None:
        self._findings.append(
            Diagnostic(
                code,
                message,
                place or self._manifest.place_of(*path),
                Severity.error,
                expected=expected,
                suggestion=suggestion,
                help=help,
                subject=str(self._manifest.key),
            )
        )


def inside(place: Place, text: str, at: int, *, named: bool = False) -> Place:
    """
    The place from a position inside a scalar on, or of the name there alone (`named`).

    The scalar's own where it spans lines or holds escapes.
    """
    width = place.end_column - place.column
    quotes = width - len(text)
    name = _NAME.match(text, at) if named else None
    if (at <= 0 and name is None) or place.end_line not in {0, place.line} or quotes not in {0, 2} or "\n" in text:
        return place
    column = place.column + at + quotes // 2
    return replace(place, column=column, end_column=column + len(name[0]) if name else place.end_column)


def _closest(name: str, names: set[str]) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, sorted(names), 1)), "")
