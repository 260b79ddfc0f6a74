"""The one exception inside the mapping compiler: an expression, or a part of it, that is wrong."""

from __future__ import annotations


class Refused(Exception):
    """What is wrong, where (offset in the expression's text), and what to write instead. Becomes a Diagnostic."""

    def __init__(
        self,
        message: str,
        at: int = 0,
        *,
        suggestion: str = "",
        help: str = "",  # noqa: A002 - the field's word
        code: str = "SYN302",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.suggestion = suggestion
        self.help = help
        self.code = code
