"""What a mapped field says to cast to: its type, with the format and zone of dates and times, checked as a whole."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo

from syncline.kinds.mapping import MappedField
from syncline.mapping import exact, formats
from syncline.mapping.exact import Target
from syncline.model.schema import DataType

#: Types that are read from written dates and times.
_WRITTEN = frozenset({"date", "time", "timestamp", "datetime"})


class BadTarget(Exception):
    """A format or zone that can't be used: which part of the field, why, and what to do."""

    def __init__(self, part: str, message: str, help: str = "") -> None:  # noqa: A002 - the field's word
        super().__init__(message)
        self.part = part
        self.message = message
        self.help = help


def target_of(field: MappedField) -> Target:
    """The target of a field; BadTarget when its format or zone says too little, or more than the type holds."""
    data_type = DataType.parse(field.type)
    if field.format is not None and data_type.name not in _WRITTEN:
        raise BadTarget("format", f"format is about dates and times, and {field.to} is {data_type}")
    if field.zone is not None:
        _check_zone(field, field.zone, data_type)
    written = field.format or "iso8601"
    if written in exact.EPOCHS and data_type.name == "time":
        raise BadTarget("format", f"format {written} states an instant, and {field.to} is a time")
    if written != "iso8601" and written not in exact.EPOCHS:
        _check_codes(written, data_type.name, zone=field.zone is not None)
    return _target(data_type, written, field.zone or "")


@lru_cache(maxsize=1_024)
def _target(data_type: DataType, written: str, zone: str) -> Target:
    """The same target, once: thousands of fields have the same."""
    return Target(data_type, written, zone)


def _check_zone(field: MappedField, zone: str, data_type: DataType) -> None:
    if data_type.name not in {"timestamp", "datetime"}:
        raise BadTarget("zone", f"zone is about timestamps, and {field.to} is {data_type}")
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, LookupError):
        help_ = "Use a name of the IANA database, such as Europe/Berlin or UTC."
        raise BadTarget("zone", f"there is no time zone {zone!r}", help_) from None


def _check_codes(written: str, name: str, *, zone: bool) -> None:
    try:
        codes = formats.compile_format(written).codes
    except formats.BadFormat as bad:
        raise BadTarget("format", f"format {written!r}: {bad}") from None
    if problem := _problem(codes, name, zone=zone):
        message, help_ = problem
        raise BadTarget("format", f"format {written!r} {message}", help_)


def _problem(codes: frozenset[str], name: str, *, zone: bool) -> tuple[str, str] | None:
    if name != "time" and not formats.has_date(codes):
        return "states no whole date", "It needs a year, a month and a day."
    if name == "time" and not formats.has_time(codes):
        return "states no time", "It needs an hour."
    if name == "date" and formats.has_time(codes):
        return "states a time, which a date would lose", "Use type: datetime, or timestamp with %z or a zone."
    if name == "time" and formats.has_date(codes):
        return "states a date, which a time would lose", "Use type: datetime."
    if name != "timestamp" and "z" in codes:
        return f"states an offset, which a {name} would lose", "Use type: timestamp."
    if name == "timestamp" and "z" not in codes and not zone:
        return "states no offset from UTC", "Add %z (which also reads Z), or say zone: Europe/Berlin."
    return None
