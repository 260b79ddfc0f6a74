"""What is found out of a CSV file: it is right where it is sure, and refused where it isn't."""

from __future__ import annotations

import pytest

from syncline.connectors.file.detection import ENOUGH, detect
from syncline.model.errors import Invalid
from syncline.sdk import conformance
from tests.contract import file_places

GERMAN = "id;name\n1;Straße Müller\n2;Grüße aus Köln\n3;Ärger, viel Übung\n" * 5
FRENCH = "id,nom,ville\n1,Hélène,Orléans\n2,François,Besançon\n" * 5
SIGNS = "id,price\n1,€ 20\n2,“quoted” – twice\n" * 5


@pytest.mark.parametrize(
    "text", [GERMAN, FRENCH, SIGNS, "ID;NAME\n1;MÜLLER\n2;ÖZIL ÄRZTE\n" * 5], ids=lambda text: text[:8]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1252"])
def test_encodings_of_western_texts_are_told(text, encoding):
    """Texts in UTF-8 and in windows-1252 are told apart, surely enough."""
    found = detect(text.encode(encoding), whole=True)
    assert found.encoding == encoding.removesuffix("-sig")
    assert found.encoding_sure >= ENOUGH


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "cp437"),
        (GERMAN, "mac_roman"),
        (FRENCH, "cp850"),
        ("id,imię,miasto\n1,Łukasz,Kraków\n2,Żaneta,Łódź\n" * 5, "cp1250"),
        ("id,имя\n1,Иван\n2,Мария Петрова\n" * 5, "cp1251"),
        ("id,имя\n1,Иван\n2,Мария Петрова\n" * 5, "koi8-r"),
        ("id,名前\n1,田中さくら\n2,カタカナ\n" * 5, "shift_jis"),
        ("id,名前\n1,田中さくら\n2,カタカナ\n" * 5, "euc_jp"),
        ("id,name\n1,Jörg\n", "windows-1252"),  # one letter tells too little
    ],
)
def test_other_encodings_are_not_taken_for_ours(text, encoding):
    """What is in another encoding, or has too little that tells, isn't sure enough."""
    assert detect(text.encode(encoding), whole=True).encoding_sure < ENOUGH


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("id;price\n1;1,50\n2;2,75\n3;10,00\n", ";"),
        ("id\tname, first\n1\tLovelace, Ada\n2\tHopper, Grace\n", "\t"),
        ('id,text\n1,"a;b;c\n;d"\n2,"d;e;f"\n', ","),
        ("id|note\n1|x\n2|y z\n", "|"),
        ("email\na@x.example\nb@x.example\n", ","),
    ],
)
def test_delimiters_are_told(text, delimiter):
    """Decimal commas, commas in names, quoted text and a single column don't mislead."""
    found = detect(text.encode(), whole=True)
    assert found.delimiter == delimiter
    assert found.delimiter_sure >= ENOUGH


@pytest.mark.parametrize(
    "text", ["Hello, world\nThis is text; it is long, very\nand no csv\n", "a|b;c\nd|e;f\n", "a;b\nc,d\n"]
)
def test_what_fits_several_delimiters_is_not_sure(text):
    """Prose, and lines that two delimiters split alike, are refused."""
    assert detect(text.encode(), whole=True).delimiter_sure < ENOUGH


def test_a_stream_that_says_auto_is_read_as_it_is_found(tmp_path):
    """Records come out right, the first file that isn't empty decides, and what was decided is told once."""
    (tmp_path / "0.csv").write_bytes(b"")
    (tmp_path / "1.csv").write_bytes(GERMAN.encode("windows-1252"))
    (tmp_path / "2.csv").write_bytes(GERMAN.encode("windows-1252"))
    told: list[str] = []
    opened = file_places.instance(tmp_path, {"s": {"files": "*.csv", "csv": {"delimiter": "auto", "encoding": "auto"}}})
    batches = conformance.read(lambda: file_places.opened(opened, told.append))
    names = [row[1] for batch in batches for row in batch.frame.rows()]
    assert names[:3] == ["Straße Müller", "Grüße aus Köln", "Ärger, viel Übung"]
    assert told == ["detected in 1.csv: encoding windows-1252 (97% sure), delimiter ';' (99% sure)"]


def test_what_is_declared_is_never_guessed(tmp_path):
    """A declared encoding holds although the file looks like another: its records are set aside, nothing is told."""
    (tmp_path / "1.csv").write_bytes(("id;name\n1;Ada\n" + GERMAN[8:]).encode("windows-1252"))
    told: list[str] = []
    opened = file_places.instance(tmp_path, {"s": {"files": "*.csv", "csv": {"delimiter": "auto"}}})
    batches = conformance.read(lambda: file_places.opened(opened, told.append))
    assert sum(len(batch.malformed) for batch in batches) == 15
    assert told == ["detected in 1.csv: delimiter ';' (99% sure)"]


def test_what_is_not_sure_is_refused_with_what_to_declare(tmp_path):
    """One letter doesn't tell an encoding: the error says which is likely, and what to write."""
    (tmp_path / "1.csv").write_bytes("id,name\n1,Jörg\n".encode("windows-1252"))
    with pytest.raises(Invalid) as caught:
        file_places.source(tmp_path, "*.csv", csv={"encoding": "auto"})
    assert caught.value.code == "SYN562"
    assert "csv.encoding: windows-1252" in caught.value.help
