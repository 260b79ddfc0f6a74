"""The closed YAML loader: YAML 1.2 scalars, bounds, positions, and what each class of broken input is answered with."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from syncline.manifests.load import load_text, load_tree
from syncline.manifests.node import Places
from syncline.manifests.text import MAX_BYTES, Text
from syncline.manifests.yaml import compose

HEAD = "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: acme}\n"


def read(content):
    composed = compose(Text("a.yaml", content))
    assert composed.diagnostics == []
    return [document.data for document in composed.documents]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("010", "010"),
        ("+49151", "+49151"),
        ("12:30:45", "12:30:45"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("1.3.0", "1.3.0"),
        ("1%", "1%"),
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-17", -17),
        ("0x1F", 31),
        ("0o17", 15),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("1.50", 1.5),
        ("-.5", -0.5),
        ("1e3", 1000.0),
        ('"1"', "1"),
        ("'true'", "true"),
        ("|\n  1\n", "1\n"),
        ("# nothing", None),
    ],
)
def test_scalars(written, value):
    """A scalar has the type of YAML 1.2's core schema, and stays text where that would change its digits."""
    found = read(f"a: {written}")[0]["a"]

    assert (type(found), found) == (type(value), value)


def test_keys_are_text():
    """A key is the text that is written, whatever type it would have as a value."""
    assert read("{1: a, on: b, null: c, 2024-01-01: d, '1.0': e}") == [
        {"1": "a", "on": "b", "null": "c", "2024-01-01": "d", "1.0": "e"}
    ]


def test_documents():
    """Every document of a file is read; those with nothing in them are none."""
    assert read("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n") == [{"a": 1}, {"b": 2}]
    assert read("# only a comment\n") == []


def test_aliases_are_copies():
    """An alias stands for the value of its anchor, and its inner places are those of the anchor."""
    composed = compose(Text("a.yaml", "a: &x {b: [1, 2]}\nc: *x\n"))
    places = Places("a.yaml", composed.documents[0])

    assert composed.documents[0].data == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}
    assert places["c", "b", 1] == places["a", "b", 1]


def test_places():
    """Keys and values have their places, from 1 and with an exclusive end, in characters and not in bytes."""
    root = compose(Text("a.yaml", "ä: [x, 'ö']\nb:\n  c: |\n    t\n")).documents[0]
    values, keys = Places("a.yaml", root), Places("a.yaml", root, of_keys=True)

    def span(place):
        return (place.line, place.column, place.end_line, place.end_column)

    assert span(values["ä", 1]) == (1, 8, 1, 11)
    assert span(values[("ä",)]) == (1, 4, 1, 12)
    assert span(keys["b", "c"]) == (3, 3, 3, 4)
    assert sorted(map(str, values)) == sorted(map(str, [(), ("ä",), ("ä", 0), ("ä", 1), ("b",), ("b", "c")]))
    assert set(keys) == {("ä",), ("b",), ("b", "c")}
    assert len(keys) == 3
    assert ("b", "d") not in values


def bomb(levels=12, width=12):
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


BROKEN = {
    "alias bomb": (bomb(), "SYN109"),
    "alias of itself": ("a: &a [*a]", "SYN109"),
    "alias of nothing": ("a: *b", "SYN109"),
    "nested lists": ("[" * 100_000, "SYN105"),
    "nested mappings": ("{a: " * 100_000, "SYN105"),
    "nested in blocks": ("- " * 100_000, "SYN105"),
    "nested keys": ("? " * 100_000, "SYN111"),
    "nested by aliases": ("a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40, "SYN105"),
    "duplicate key": ("a: 1\n'a': 2", "SYN107"),
    "python tag": ("a: !!python/object/apply:os.system [id]", "SYN108"),
    "own tag": ("a: !secret b", "SYN108"),
    "tagged key": ("!!str a: b", "SYN108"),
    "merge key": ("a: &a {x: 1}\nb: {<<: *a}", "SYN110"),
    "key that is a list": ("[a, b]: 1", "SYN111"),
    "not a number": ("a: .nan", "SYN112"),
    "infinite": ("a: -.inf", "SYN112"),
    "too large a float": ("a: 1e999", "SYN112"),
    "too large an integer": ("a: 9223372036854775808", "SYN112"),
    "integer of 5,000 digits": ("a: " + "9" * 5_000, "SYN112"),
    "tab": ("a:\n\tb: 1", "SYN113"),
    "NUL": ("a: b\0", "SYN103"),
    "escape": ("a: \x1b[31m", "SYN103"),
    "bidirectional override": ("a: \u202eb", "SYN103"),
    "many documents": ("---\na\n" * 1_001, "SYN106"),
    "many values": ("[" + "1," * 100_001 + "1]", "SYN106"),
    "large file": ("a: " + "x" * MAX_BYTES, "SYN102"),
    "unclosed list": ("a: [1, 2", "SYN104"),
    "unclosed quote": ('a: "b', "SYN104"),
    "colon in a value": ("a: b: c", "SYN104"),
    "reserved character": ("a: @b", "SYN104"),
    "YAML 1.1": ("%YAML 1.1\n---\na: no", "SYN104"),
}


@pytest.mark.parametrize(("content", "code"), BROKEN.values(), ids=BROKEN)
def test_broken(content, code):
    """A broken file gets one finding with its place, by at most seconds of work: nothing in it makes it grow."""
    start = time.process_time()
    result = load_text(content, "a.yaml")
    seconds = time.process_time() - start

    assert [d.code for d in result.diagnostics] == [code]
    assert result.diagnostics[0].place.file == "a.yaml"
    assert result.manifests == ()
    assert seconds < 5.0


SAID = {
    "files: *.csv": "not YAML: '*' and '&' begin the name of an alias or an anchor",
    'pattern: "\\d+"': "not YAML: double quotes have no such escape after '\\'",
    "pattern: |.*": "not YAML: a block of text begins on the next line",
    "a: [1, 2\nb: 3": "not YAML: a list in brackets is not closed",
}


@pytest.mark.parametrize(("content", "message"), SAID.items(), ids=SAID)
def test_what_is_said_of_syntax(content, message):
    """Slips that are often made are named in words, not in those of the parser, and so is what began before."""
    (found,) = load_text(HEAD + content, "a.yaml").diagnostics

    assert found.message == message
    assert found.help
    assert [related.message for related in found.related] in ([], ["the list in brackets began here"])


BYTES = {
    "latin-1": (HEAD.encode() + "spec: {title: Müller}".encode("latin-1"), "SYN101"),
    "UTF-16": (HEAD.encode("utf-16"), "SYN101"),
    "NUL": (HEAD.encode() + b"spec: {title: \0}", "SYN103"),
    "50 MB": (HEAD.encode() + b"spec: {title: a}\n" + b"#\n" * 25_000_000, "SYN102"),
}


@pytest.mark.parametrize(("data", "code"), BYTES.values(), ids=BYTES)
def test_broken_bytes(tmp_path, data, code):
    """A file that isn't UTF-8 text of at most 1 MiB gets one finding."""
    (tmp_path / "a.yaml").write_bytes(data)
    result = load_tree(tmp_path)

    assert [(d.code, d.severity, d.place.file) for d in result.diagnostics] == [(code, "error", "a.yaml")]


def test_place_of_a_broken_byte(tmp_path):
    """The finding about a byte that isn't UTF-8 is at its line and column."""
    (tmp_path / "a.yaml").write_bytes(HEAD.encode() + "spec: {title: Mü\n".encode() + b"\xfcller}")
    place = load_tree(tmp_path).diagnostics[0].place

    assert (place.line, place.column) == (5, 1)


def test_byte_order_mark(tmp_path):
    """A UTF-8 byte order mark is skipped."""
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf" + HEAD.encode() + b"spec: {}")
    result = load_tree(tmp_path)

    assert result.diagnostics == ()
    assert result.manifests[0].key.name == "acme"


def test_memory():
    """The costliest files that are allowed are refused or read in less than 200 MB."""
    program = """
from pathlib import Path
from syncline.manifests.load import load_text
for content in ("[" + "[]," * 340_000 + "1]", "- " * 500_000, "a: [" + "{}," * 340_000, "a: &a [x]\\n" + "b: *a\\n" * 9):
    assert load_text(content, "a.yaml").diagnostics
assert not load_text("[" + "1," * 99_000 + "1]", "a.yaml").diagnostics
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) // 1024)  # of this program alone: ru_maxrss begins with its parent's
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert int(done.stdout) < 200


def test_all_findings_of_a_file():
    """Mistakes that don't stop the parser are reported together."""
    result = compose(Text("a.yaml", "a: 1\na: 2\nb: !x y\nc: .inf\n"))

    assert [(d.code, d.place.line) for d in result.diagnostics] == [("SYN107", 2), ("SYN108", 3), ("SYN112", 4)]
