"""The state of a finished command, looked at by a test: opened for each question, and closed after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from syncline.state.open import open_reader


class Look:
    """Answers what a `StateReader` answers, with nothing left open between the questions."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __getattr__(self, name: str) -> Any:
        with closing(open_reader(self._url)) as reader:
            found = getattr(reader, name)
            if not callable(found):
                return found

        def ask(*args: Any, **options: Any) -> Any:
            with closing(open_reader(self._url)) as reader:
                answer = getattr(reader, name)(*args, **options)
                return tuple(answer) if isinstance(answer, Iterator) else answer

        return ask
