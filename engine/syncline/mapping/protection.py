"""What a field's protection is called, what it becomes and what it asks of the field; `protect.py` does it."""

from __future__ import annotations

from typing import Final, Literal

from syncline.kinds.mapping import Generalize, Hash, MappedField, Mask, Preserve, Protect, Tokenize
from syncline.mapping.checks import Rule
from syncline.model.schema import STRING, DataType

Protection = Literal["", "drop", "mask", "hash", "tokenize", "preserve", "generalize"]

#: Those that are made with a key of the tenant.
KEYED: Final = frozenset({"hash", "tokenize", "preserve"})
#: Characters that are encrypted among themselves, by the name of their alphabet; others stay where they are.
ALPHABETS: Final = {
    "digits": "0123456789",
    "alphanumeric": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
}
#: The fewest of them: FF1 asks for a million possible values.
FEWEST: Final = {"digits": 6, "alphanumeric": 4}
#: What may stand beside them, in the clear: no digits of other scripts and, where letters are encrypted, no letters.
_BESIDE: Final = {"digits": r"\P{N}", "alphanumeric": r"[^\p{L}\p{M}\p{N}]"}
_ELSE: Final = {
    "digits": "digits other than 0 to 9, which would be written in the clear",
    "alphanumeric": "letters or digits other than A to Z and 0 to 9, which would be written in the clear",
}
#: The longest value that keeps its format, in characters: the work grows with the square of it.
LONGEST: Final = 256

_DATES: Final = frozenset({"date", "timestamp", "datetime"})
_NUMBERS: Final = frozenset({"integer", "int32", "decimal", "float"})


def protection_of(field: MappedField) -> Protection:
    """How a field is protected; '' when it isn't."""
    match field.protect:
        case None:
            return ""
        case "drop" | "mask":
            return field.protect
        case Mask():
            return "mask"
        case Hash():
            return "hash"
        case Tokenize():
            return "tokenize"
        case Preserve():
            return "preserve"
        case Generalize():
            return "generalize"


def written_type(protect: Protect | None, data_type: DataType) -> DataType:
    """The type of what is written: text, unless it is in the clear, or a number of the same type."""
    match protect:
        case None | "drop":
            return data_type
        case Generalize(generalize=how) if how.bucket is not None:
            return data_type
        case _:
            return STRING


def unfit(protect: Protect | None, data_type: DataType) -> str:
    """Why a field of that type can't be protected so; '' where it can."""
    match protect:
        case Preserve() if data_type != STRING:
            return f"preserve is about text, and the field is {data_type}"
        case Generalize(generalize=how):
            given = [name for name in ("date", "prefix", "bucket") if getattr(how, name) is not None]
            if len(given) != 1:
                return f"generalize has {' and '.join(given) or 'none of date, prefix and bucket'}, not exactly one"
            if how.top is not None and how.bucket is None:
                return "top goes with bucket"
            if how.bottom is not None and how.date != "year":
                return "bottom goes with date: year"
            about = {"date": (_DATES, "dates and timestamps"), "bucket": (_NUMBERS, "numbers")}
            types, words = about.get(given[0], (frozenset({"string", "integer", "int32"}), "text and whole numbers"))
            return "" if data_type.name in types else f"{given[0]} is about {words}, and the field is {data_type}"
        case _:
            return ""


def rules_of(protect: Protect | None) -> tuple[Rule, ...]:
    """What a value must be for its protection: a record whose value can't be protected is rejected."""
    if not isinstance(protect, Preserve):
        return ()
    letters, fewest = ALPHABETS[protect.preserve], FEWEST[protect.preserve]
    pattern = f"^(?:[^{letters}]*[{letters}]){{{fewest}}}"
    what = "digits" if protect.preserve == "digits" else "letters and digits"
    return (
        Rule("protect", f"^[{letters}{_BESIDE[protect.preserve]}]*$", f"has {_ELSE[protect.preserve]}"),
        Rule("protect", pattern, f"has fewer than {fewest} {what}, too few to encrypt in their format"),
        Rule("maxLength", LONGEST, f"has more than {LONGEST} characters, too many to encrypt in their format"),
    )


def words(protect: Protect | None) -> str:
    """How it is written, for people: `hashed`, `in the clear`."""
    match protect:
        case None:
            return "in the clear"
        case "drop":
            return "not at all"
        case "mask":
            return "masked"
        case Mask(mask=mask):
            return f"masked but for its last {mask['keep']}" if mask.get("keep") else "masked"
        case Hash():
            return "hashed"
        case Tokenize():
            return "tokenised"
        case Preserve(preserve=alphabet):
            return f"encrypted by its {'digits' if alphabet == 'digits' else 'letters and digits'}"
        case Generalize(generalize=how):
            if how.date is not None:
                return f"generalised to its {how.date}" + (f" from {how.bottom}" if how.bottom is not None else "")
            if how.prefix is not None:
                return f"generalised to its first {how.prefix}"
            return f"generalised by {how.bucket}" + (f" up to {how.top}" if how.top is not None else "")
