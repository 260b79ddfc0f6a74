"""A mapping's own tests, run through the very columns that runs use. `validate` calls this; nothing is mocked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl

from syncline.kinds.mapping import MappingSpec, MappingTest
from syncline.mapping import exact
from syncline.mapping.checks import BadCheck, typed
from syncline.mapping.columns import Rejected, bind
from syncline.mapping.compile import Compiled, CompiledField, compile_mapping
from syncline.mapping.exact import Target
from syncline.mapping.protect import protected
from syncline.mapping.protection import KEYED
from syncline.mapping.records import Misplaced, frame_of, inferred
from syncline.model.diagnostic import Diagnostic, has_errors
from syncline.model.errors import Invalid
from syncline.model.manifest import Manifest
from syncline.model.schema import STRING, Schema

#: Tests hash with this, never with a tenant's key: they run where no secret is.
_KEY = b"tests of a mapping"


def run_tests(manifest: Manifest, source: Schema | None) -> tuple[Diagnostic, ...]:
    """Findings of a mapping's own tests; none when they pass, when there are none, or when it doesn't compile."""
    spec = manifest.spec
    assert isinstance(spec, MappingSpec)
    if not spec.tests:
        return ()
    compiled = compile_mapping(manifest, source)
    if has_errors(compiled.diagnostics):
        return ()
    return tuple(_Tests(compiled, spec, source).run())


class _Tests:
    def __init__(self, compiled: Compiled, spec: MappingSpec, source: Schema | None) -> None:
        self._compiled = compiled
        self._tests = spec.tests
        self._schema = source or inferred([test.given for test in spec.tests], compiled.reads)
        self._fields = {f.name: f for f in compiled.fields}

    def run(self) -> Iterator[Diagnostic]:
        sound: list[int] = []
        for index, test in enumerate(self._tests):
            problems = list(self._unsound(index, test))
            yield from problems
            if not problems:
                sound.append(index)
        if not sound:
            return
        try:
            columns = bind(self._compiled, self._schema, _KEY)
        except Invalid as invalid:
            for index in sound:
                yield self._finding("SYN315", index, f"its record does not fit the mapping: {invalid.message}", "given")
            return
        mapped = columns.apply(frame_of([self._tests[i].given for i in sound], self._schema))
        rejects = {reject.row: reject for reject in mapped.rejects}
        rows = mapped.rows.to_list() if mapped.rows is not None else list(range(len(sound)))
        written = dict(zip(rows, mapped.frame.to_dicts(), strict=True))
        for row, index in enumerate(sound):
            yield from self._judge(index, written.get(row), rejects.get(row))

    def _unsound(self, index: int, test: MappingTest) -> Iterator[Diagnostic]:
        stated = (test.expect is not None) + (test.reject is not None) + test.skip
        if stated != 1:
            yield self._finding("SYN315", index, "states not exactly one of expect, reject and skip")
        for name in test.expect or {}:
            if name not in self._compiled.target.names:
                why = "drops" if name in self._fields else "doesn't write"
                yield self._finding("SYN315", index, f"expects {name}, which the mapping {why}", "expect", name)
        if test.reject is not None and test.reject not in {*self._fields, "where"}:
            yield self._finding("SYN315", index, f"expects a reject for {test.reject}, which is no field", "reject")
        try:
            frame_of([test.given], self._schema)
        except Misplaced as misplaced:
            yield self._finding(
                "SYN315", index, f"gives a record that the source could not send: {misplaced}", "given", misplaced.field
            )

    def _judge(self, index: int, written: dict[str, Any] | None, reject: Rejected | None) -> Iterator[Diagnostic]:
        test = self._tests[index]
        if test.expect is not None and written is not None:
            for name, wanted in test.expect.items():
                if not self._equal(self._fields[name], wanted, written[name]):
                    yield self._finding(
                        "SYN314",
                        index,
                        f"{name} is {_shown(written[name])}, not {_shown(wanted)}",
                        "expect",
                        name,
                        expected=_shown(wanted),
                    )
            return
        if reject is not None and test.reject == reject.field:
            return
        if test.skip and written is None and reject is None:
            return
        part = "expect" if test.expect is not None else "reject" if test.reject is not None else "skip"
        outcome = f"is rejected: {reject.message}" if reject else "is accepted" if written is not None else "is skipped"
        due = {"expect": "an accepted record", "reject": f"a reject for {test.reject}", "skip": "a skipped record"}
        yield self._finding("SYN314", index, f"the record {outcome}", part, expected=due[part])

    def _equal(self, field: CompiledField, wanted: Any, actual: Any) -> bool:
        if wanted is None or actual is None:
            return wanted is actual
        if field.protection == "mask":
            return bool(wanted == actual)
        if field.protection in KEYED:
            return actual == wanted or self._made_of(field, wanted, actual)
        if field.protection == "generalize" and isinstance(actual, str):
            return bool(wanted == actual)
        if field.target.type.name == "json":
            return bool(
                json.loads(exact.to_json(wanted), parse_float=Decimal) == json.loads(actual, parse_float=Decimal)
            )
        if field.target.type.name == "string":
            return bool(wanted == actual)
        try:
            return bool(typed(wanted, Target(field.target.type, zone=field.target.zone), "expect") == actual)
        except BadCheck:
            return False

    def _made_of(self, field: CompiledField, wanted: Any, actual: Any) -> bool:
        """Whether a value that is made with a key is made of the one that a test states."""
        stated = pl.Series(field.name, [exact.to_text(wanted)], dtype=pl.String)
        return bool(protected(stated, STRING, field.protect, _KEY).item() == actual)

    def _finding(self, code: str, index: int, message: str, *path: str, expected: str = "") -> Diagnostic:
        test = self._tests[index]
        manifest = self._compiled.manifest
        return Diagnostic(
            code,
            f"test {test.name or index + 1}: {message}",
            manifest.place_of("spec", "tests", index, *path),
            expected=expected,
            subject=str(manifest.key),
        )


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    text = exact.to_text(value)
    return f"'{text}'" if isinstance(value, str) else text
