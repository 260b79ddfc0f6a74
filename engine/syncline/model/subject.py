"""A data subject: a person whose rows are asked for, by a kind of person and the value that tells which one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from syncline.model.errors import Invalid

_KIND = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
#: Longest value, in characters.
MAX_VALUE = 1000


@dataclass(frozen=True, slots=True)
class Subject:
    """One person: `kind` is a name that mappings declare under `subject`, `value` is personal data and never shown.

    >>> Subject.parse("customer=ada@example.com")
    Subject(kind='customer')
    """

    kind: str
    value: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Subject:
        """From `KIND=VALUE`; `Invalid` (SYN841), without the value, where it is none."""
        kind, equals, value = text.partition("=")
        if not equals or not _KIND.fullmatch(kind) or not value or len(value) > MAX_VALUE or "\0" in value:
            raise Invalid(
                "a subject is given as KIND=VALUE",
                code="SYN841",
                help="KIND is a name under `subject` of a mapping, VALUE tells the person: customer=ada@example.com.",
            )
        return cls(kind, value)
