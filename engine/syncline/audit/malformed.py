"""The one error of the pure parts: bytes that a format does not allow. Callers turn it into a finding."""

from __future__ import annotations


class Malformed(ValueError):
    """Text, bytes or a path that the format does not allow.

    `entry` is the number, within its bundle, of the first entry that cannot be read, where it is a bundle.
    """

    def __init__(self, message: str, entry: int | None = None) -> None:
        super().__init__(message)
        self.entry = entry
