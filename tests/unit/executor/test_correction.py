"""Rejects as a CSV that people correct, and what comes back of it."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncline.executor.correction import OWN, neutral, read_correction, taken, write_correction
from syncline.model.errors import Invalid
from syncline.model.run import PAGE, Reason, Reject
from syncline.model.schema import BOOLEAN, INTEGER, JSON, NUMBER, STRING, Field, Schema

SCHEMA = Schema(
    (
        Field("id", INTEGER),
        Field("name", STRING),
        Field("price", NUMBER),
        Field("tags", STRING, repeated=True),
        Field("extra", JSON),
    )
)


def reject(record, rule="type", place="a.csv:2"):
    text = record if isinstance(record, str) else json.dumps(record)
    return Reject(place, "price", rule, "x", "price is no number", text)


FIRST = reject('{"id":9007199254740993,"name":"=Ada","price":1.10,"tags":["a","b"],"extra":{"n":1.00}}')
SECOND = reject('{"id":2,"name":null,"price":null,"tags":null,"extra":null}')
RAW = reject("3;only two", rule="parse")
SAMPLE = reject('{"request":"GET /"}', rule=PAGE)
HEAD = ",".join(OWN).encode()
ALL = (FIRST, SECOND, RAW, SAMPLE)


def file(rejects=ALL, **changes):
    """The file as written, with cells changed: `row_column=value`."""
    rows = list(csv.DictReader(io.StringIO("".join(write_correction(rejects)))))
    for place, value in changes.items():
        number, _, column = place[1:].partition("_")
        next(r for r in rows if r["_reject"] == number)[column] = value
    return rows


def saved(rows, delimiter=",", mark=""):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return (mark + out.getvalue()).encode()


def test_the_file_has_a_column_for_each_field_and_one_for_what_could_not_be_parsed():
    """Numbers keep their digits, text that a spreadsheet would run is quoted, and a sample of an answer is no record."""
    rows = file()
    assert list(rows[0]) == [
        "_reject", "_place", "_field", "_rule", "_message", "_raw", "id", "name", "price", "tags", "extra",
    ]  # fmt: skip
    assert [row["_reject"] for row in rows] == ["1", "2", "3"]
    assert (rows[0]["id"], rows[0]["name"], rows[0]["price"]) == ("9007199254740993", "'=Ada", "1.10")
    assert (rows[0]["tags"], rows[0]["extra"]) == ('["a","b"]', '{"n":1.00}')
    assert rows[2]["_raw"] == "3;only two"


def test_all_that_is_wrong_with_a_record_stands_beside_it():
    """Who corrects it has every field to look at at once, and not one more after each retry."""
    also = (Reason("born", "type", "x", "born is no date"),)
    (row,) = file([replace(FIRST, also=also)])
    assert (row["_field"], row["_rule"]) == ("price, born", "type, type")
    assert row["_message"] == "price is no number; born is no date"
    changed = saved([row | {"price": "2"}])
    (corrected,) = read_correction("fix.csv", changed, [replace(FIRST, also=also)], SCHEMA)
    assert corrected.also == ()


def test_what_nobody_changed_is_what_it_was():
    """A file that comes back as it was written gives the same rejects, in another program's dialect too."""
    assert read_correction("f.csv", saved(file()), ALL, SCHEMA) == ALL[:3]
    assert read_correction("f.csv", saved(file(), ";", "\ufeff"), ALL, SCHEMA) == ALL[:3]


def test_changed_cells_are_read_by_the_type_of_their_field():
    """Text as text, numbers with their digits, an empty cell as null; the other cells stay as they were."""
    rows = file(_1_price="2.50", _1_name="Ada", _2_name="007", _2_price="", _1_extra="")
    first, second, raw = read_correction("f.csv", saved(rows), ALL, SCHEMA)
    assert first.record == '{"id":9007199254740993,"name":"Ada","price":2.50,"tags":["a","b"],"extra":null}'
    assert json.loads(second.record)["name"] == "007"
    assert (first.rule, raw) == ("corrected", RAW)
    assert first.place == FIRST.place


def test_a_record_that_could_not_be_parsed_is_corrected_by_its_fields():
    """Once it has fields it is a record like others."""
    rows = file(_3_id="3", _3_name="Grace", _3_price="4")
    assert json.loads(read_correction("f.csv", saved(rows), ALL, SCHEMA)[2].record) == {
        "id": 3,
        "name": "Grace",
        "price": 4,
    }


def test_rows_that_are_left_out_stay_as_they_are():
    """Nothing that was rejected is forgotten."""
    assert read_correction("f.csv", saved(file()[1:2]), ALL, SCHEMA) == ALL[:3]


def test_all_that_is_wrong_is_said_at_once():
    """Unknown and double rejects, values that aren't of their field, each with line and cell."""
    rows = file(_1_price="cheap", _2_id="2.5")
    rows += [{**rows[1]}, {**rows[1], "_reject": "99"}, {**rows[1], "_reject": "4"}]
    with pytest.raises(Invalid) as caught:
        read_correction("f.csv", saved(rows), ALL, SCHEMA)
    found = [(str(d.place), d.message) for d in caught.value.diagnostics]
    assert found == [
        ("f.csv:2:9", "'cheap' is not JSON, as field 'price' has it"),
        ("f.csv:5:1", "reject 2 stands in the file twice"),
        ("f.csv:6:1", "no reject of this run has the number '99'"),
        ("f.csv:7:1", "no reject of this run has the number '4'"),
    ]
    with pytest.raises(Invalid) as caught:
        read_correction("f.csv", saved(file(_2_id="2.5")), ALL, SCHEMA)
    assert [d.message for d in caught.value.diagnostics] == ["id is not an integer"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"id,name\r\n1,Ada\r\n", f"its first columns aren't {', '.join(OWN)}"),
        (HEAD + b",nmae\r\n1,,,,,,Ada\r\n", "the source has no field 'nmae'; did you mean name?"),
        (HEAD + b",id,id\r\n1,,,,,,1,1\r\n", "two columns are called 'id'"),
        (HEAD + b",id\r\n1\r\n", "1 cells where the header has 7"),
        (HEAD + b",id\r\n" + b"9" * 5000 + b",,,,,,1\r\n", f"no reject of this run has the number '{'9' * 40}'"),
        (
            HEAD + b",tags\r\n1,,,,,," + b"[" * 100_000 + b"\r\n",
            "'" + "[" * 60 + "' is not JSON, as field 'tags' has it",
        ),
        (b"", f"its first columns aren't {', '.join(OWN)}"),
    ],
)
def test_a_file_of_another_shape(data, said):
    """A file that isn't one of ours is refused whole, with what it lacks."""
    with pytest.raises(Invalid) as caught:
        read_correction("f.csv", data, ALL, SCHEMA)
    assert (caught.value.code, caught.value.diagnostics[0].message) == ("SYN713", said)


@pytest.mark.parametrize("data", [HEAD + b",name\r\n1,,,,,,\xff\r\n", HEAD + b',name\r\n1,,,,,,"Ada\r\n'])
def test_damage(data):
    """What can't be read as CSV of UTF-8 is refused."""
    with pytest.raises(Invalid) as caught:
        read_correction("f.csv", data, ALL, SCHEMA)
    assert caught.value.code == "SYN713"


def test_nothing_to_correct():
    """Records that have no fields at all can't be corrected."""
    with pytest.raises(Invalid) as caught:
        list(write_correction((RAW, SAMPLE)))
    assert caught.value.code == "SYN708"


@given(st.text(alphabet="'=+-@ab\t\r\n＝＋－＠", max_size=6))
def test_quotes_against_formulas_come_off_again(cell):
    """What is neutral begins with no formula's sign, and is the same again afterwards."""
    assert not neutral(cell).startswith(tuple("=+-@\t\r\n＝＋－＠"))
    assert taken(neutral(cell)) == cell


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=5))
def test_any_text_comes_back(names):
    """Whatever text a record has, it is unchanged by writing and reading."""
    rejects = tuple(reject({"id": n, "name": name, "price": 1}) for n, name in enumerate(names))
    data = "".join(write_correction(rejects)).encode()
    assert read_correction("f.csv", data, rejects, SCHEMA) == rejects


def test_fields_may_be_called_as_our_own_columns_are():
    """Columns are known by where they stand: a source's own `_message` is neither lost nor made up."""
    schema = Schema((Field("id", INTEGER), Field("_message", STRING)))
    rejects = (reject({"id": 1, "_message": "hello"}), reject({"id": 2}))
    data = "".join(write_correction(rejects)).encode()
    assert read_correction("f.csv", data, rejects, schema) == rejects
    first = read_correction("f.csv", data.replace(b"hello", b"bye"), rejects, schema)[0]
    assert json.loads(first.record) == {"id": 1, "_message": "bye"}


def test_truth_values_come_back_in_capitals():
    """A spreadsheet writes TRUE for true: that is no change, and FALSE is one."""
    schema = Schema((Field("id", INTEGER), Field("ok", BOOLEAN)))
    rejects = (reject({"id": 1, "ok": True}), reject({"id": 2, "ok": False}))
    data = "".join(write_correction(rejects)).replace("true", "TRUE").replace("false", "TRUE").encode()
    first, second = read_correction("f.csv", data, rejects, schema)
    assert first == rejects[0]
    assert json.loads(second.record) == {"id": 2, "ok": True}
