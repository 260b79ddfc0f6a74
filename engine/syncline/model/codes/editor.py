"""SYN920: the language server."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN920",
        "language server not installed",
        "`syncline lsp` needs a library that the base installation leaves out.",
        "Install the extra: pip install 'syncline[editor]'.",
    ),
)
