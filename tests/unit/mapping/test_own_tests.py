"""The tests that a mapping carries: what passes, and what is said when one fails."""

from __future__ import annotations

import pytest

from syncline.kinds.mapping import KIND
from syncline.mapping.tests import run_tests
from syncline.model.schema import Schema
from tests.unit.mapping.manifests import manifest, schema

FIELDS = """
key: [id]
where: active != 'no'
fields:
- {to: id, from: id, type: integer}
- {to: amount, from: amount, type: "decimal(10,2)"}
- {to: at, from: at, type: timestamp, zone: Europe/Berlin}
- {to: day, from: day, type: date, format: "%d.%m.%Y"}
- {to: mail, from: mail, check: {format: email}, protect: {hash: tenant}}
- {to: card, from: card, protect: {mask: {keep: 2}}}
- {to: gone, from: card, protect: drop}
tests:
"""
TEXT = schema(id="string", amount="string", at="string", day="string", mail="string", card="string", active="string")

PASSING = [
    '{given: {id: "9223372036854775807"}, expect: {id: 9223372036854775807, amount: null}}',
    '{given: {id: "1", amount: "10.1"}, expect: {amount: 10.1}}',
    '{given: {id: "1", amount: "10.10"}, expect: {amount: "10.10"}}',
    '{given: {id: "1", at: "2024-07-01T12:00:00"}, expect: {at: "2024-07-01T10:00:00Z"}}',
    '{given: {id: "1", at: "2024-07-01T12:00:00Z"}, expect: {at: "2024-07-01T14:00:00"}}',
    '{given: {id: "1", day: "29.02.2024"}, expect: {day: "2024-02-29"}}',
    '{given: {id: "1", mail: a@b.de}, expect: {mail: a@b.de}}',
    '{given: {id: "1", card: "1234"}, expect: {card: "***34"}}',
    '{given: {id: "x"}, reject: id}',
    '{given: {id: "1", day: "29.02.2023"}, reject: day}',
    '{given: {id: "1", at: "2024-03-31T02:30:00"}, reject: at}',
    '{given: {id: "1", active: "no"}, skip: true}',
]

FAILING = [
    ('{given: {id: "2"}, expect: {id: 1}}', "SYN314", "expect.id", "test 1: id is 2, not 1", "1"),
    ('{name: cents, given: {id: "1", amount: "1.10"}, expect: {amount: 1.11}}', "SYN314", "expect.amount", "test cents: amount is 1.10, not 1.11", "1.11"),
    ('{given: {id: "1", day: "01.02.2024"}, expect: {day: "2024-01-02"}}', "SYN314", "expect.day", "test 1: day is 2024-02-01, not '2024-01-02'", "'2024-01-02'"),
    ('{given: {id: "1", amount: "1.234"}, expect: {id: 1}}', "SYN314", "expect", "test 1: the record is rejected: amount has 3 fraction digits, and decimal(10,2) holds 2", "an accepted record"),
    ('{given: {id: "1"}, reject: id}', "SYN314", "reject", "test 1: the record is accepted", "a reject for id"),
    ('{given: {id: "x"}, reject: day}', "SYN314", "reject", "test 1: the record is rejected: id is not an integer", "a reject for day"),
    ('{given: {id: "1"}, skip: true}', "SYN314", "skip", "test 1: the record is accepted", "a skipped record"),
    ('{given: {id: "1", active: "no"}, expect: {id: 1}}', "SYN314", "expect", "test 1: the record is skipped", "an accepted record"),
    ('{given: {id: "1"}}', "SYN315", "", "test 1: states not exactly one of expect, reject and skip", ""),
    ('{given: {id: "1"}, expect: {nope: 1}}', "SYN315", "expect.nope", "test 1: expects nope, which the mapping doesn't write", ""),
    ('{given: {id: "1"}, expect: {gone: 1}}', "SYN315", "expect.gone", "test 1: expects gone, which the mapping drops", ""),
    ('{given: {id: "1"}, reject: nope}', "SYN315", "reject", "test 1: expects a reject for nope, which is no field", ""),
    ('{given: {di: "1"}, reject: id}', "SYN315", "given.di", "test 1: gives a record that the source could not send: di is no field of the source", ""),
]  # fmt: skip


def test_every_kind_of_passing_test_passes():
    """Texts, decimals, instants, dates, hashes, masks, rejects and skips are compared as what they are."""
    text = FIELDS + "".join(f"- {line}\n" for line in PASSING)

    assert run_tests(manifest(text), TEXT) == ()
    assert run_tests(manifest(text), None) == ()


@pytest.mark.parametrize(("line", "code", "part", "message", "expected"), FAILING)
def test_a_failing_test_says_what_was_and_what_was_expected(line, code, part, message, expected):
    """A finding names the test, stands at the expectation, and shows both sides."""
    text = f"{FIELDS}- {line}\n"
    found = run_tests(manifest(text), TEXT)

    assert [(d.code, d.message, d.expected) for d in found] == [(code, message, expected)]
    assert found[0].place == manifest(text).place_of("spec", "tests", 0, *(part.split(".") if part else ()))


def test_one_failing_test_does_not_hide_another():
    """All tests are run, and each that fails is reported."""
    text = (
        FIELDS + '- {given: {id: "1"}, expect: {id: 2}}\n- {given: {id: "1"}}\n- {given: {id: "3"}, expect: {id: 4}}\n'
    )

    assert sorted(d.message.split(":")[0] for d in run_tests(manifest(text), TEXT)) == ["test 1", "test 2", "test 3"]


def test_the_example_of_the_kind_passes_its_own_test():
    """What the reference shows for a Mapping works as it stands."""
    spec = KIND.example.split("spec:\n", 1)[1]
    text = "\n".join(line.removeprefix("  ") for line in spec.splitlines())

    assert run_tests(manifest(text), None) == ()


def test_records_of_tests_suggest_a_nested_schema():
    """Without a declared schema the records of the tests show which fields are objects, lists and numbers."""
    text = """
fields:
- {to: sku, from: "lines[?qty > `1`].sku | [0]"}
- {to: total, from: "sum(lines[].price)", type: "decimal(10,2)"}
- {to: city, from: address.city}
- {to: zip, from: address.zip.code}
tests:
- given: {lines: [{sku: a, qty: 1, price: 1.5}, {sku: b, qty: 2, price: 2}], address: {city: Rome}}
  expect: {sku: b, total: 3.5, city: Rome, zip: null}
- given: {}
  expect: {sku: null, total: null}
"""
    assert run_tests(manifest(text), None) == ()


def test_a_mapping_that_does_not_compile_runs_no_tests():
    """Its findings are those of the compiler; running tests on top would only repeat them."""
    assert (
        run_tests(
            manifest(FIELDS.replace("from: id", "from: nope") + "- {given: {}, skip: true}\n"), Schema(TEXT.fields)
        )
        == ()
    )
