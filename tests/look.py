"""The state of a finished command, looked at by a test: opened for each question, and closed after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from syncline.executor.batches.at_rest import open_checkpoint
from syncline.secrets.keys.ring import KeyRing
from syncline.state.open import open_reader

if TYPE_CHECKING:
    from syncline.model.key import ObjectKey
    from syncline.settings import Settings


def copy_of(settings: Settings, key: ObjectKey) -> str | None:
    """The checkpoint of a flow that the state has a copy of, as it was before it was sealed."""
    with closing(open_reader(settings.state_url)) as reader:
        return open_checkpoint(lambda: KeyRing.open(settings.keys), key.tenant, reader.cursor(key))


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
