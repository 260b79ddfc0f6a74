"""Writes the demo's legacy CRM export, with what such exports have: bad dates, duplicates, mixed encodings.

The same seed gives the same file.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import random
from pathlib import Path

HEADER = (
    "customer_no",
    "first_name",
    "last_name",
    "email",
    "phone",
    "country",
    "born",
    "created",
    "status",
    "balance",
    "newsletter",
)
FIRST = ("Anna", "Jürgen", "Zoë", "Łukasz", "Chloé", "Søren", "María", "Ivan", "Aiko", "Tom", "Nuño", "Eva")
LAST = ("Müller", "Smith", "García", "Dvořák", "Øberg", "O'Brien", "Rossi", "Nakamura", "Kowalski", "Dubois")
COUNTRIES = ("de", "fr", "es", "pl", "it", "nl", "se", "at")
EPOCH = dt.date(1940, 1, 1)
OPENED = dt.datetime(2012, 1, 2, 9, 0)  # noqa: DTZ001 - the CRM writes no zone, which is the point


def _row(number: int, chance: random.Random) -> list[str]:
    first, last = chance.choice(FIRST), chance.choice(LAST)
    born = EPOCH + dt.timedelta(days=chance.randrange(24_000))
    created = OPENED + dt.timedelta(minutes=chance.randrange(6_000_000))
    return [
        str(number),
        first,
        last,
        f"{first}.{last}.{number}@example.com".lower().replace("'", ""),
        f"+49 30 {chance.randrange(10**6, 10**7)}" if chance.random() < 0.9 else "",
        chance.choice(COUNTRIES),
        f"{born:%d.%m.%Y}",
        f"{created:%Y-%m-%dT%H:%M:%S}",
        chance.choices("APC", (70, 20, 10))[0],
        f"{chance.randrange(0, 500_000) / 100:.2f}",
        chance.choice("YN"),
    ]


def _spoil(row: list[str], chance: random.Random) -> None:
    """One of the faults that years of hands leave behind."""
    match chance.randrange(5):
        case 0:
            row[6] = chance.choice(("31.02.1979", "00.00.0000", "1985-07-14", "n/a"))
        case 1:
            row[3] = chance.choice(("unknown", "no@mail", row[3].replace("@", " at "), ""))
        case 2:
            row[8] = "H"  # "on hold": a status that nobody told us about
        case 3:
            row[9] = chance.choice(("1.234,50", "12.345", "free"))
        case _:
            row[2] += '", "Jr.'


def write_export(path: Path, rows: int, seed: int = 7) -> None:
    """Writes `rows` rows: about 2 % spoilt, 0.5 % doubled with a newer balance, 0.3 % in another encoding."""
    chance = random.Random(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")

        def put(row: list[str], encoding: str) -> None:
            text.seek(0)
            text.truncate()
            writer.writerow(row)
            file.write(text.getvalue().encode(encoding, errors="replace"))

        put(list(HEADER), "utf-8")
        for number in range(1, rows + 1):
            row = _row(number, chance)
            dice = chance.random()
            if dice < 0.02:
                _spoil(row, chance)
            put(row, "latin-1" if 0.02 <= dice < 0.023 and not row[1].isascii() else "utf-8")
            if 0.023 <= dice < 0.028:
                put([*row[:9], f"{chance.randrange(0, 500_000) / 100:.2f}", row[10]], "utf-8")
