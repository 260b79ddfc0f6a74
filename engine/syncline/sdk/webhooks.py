"""What a runtime implements at whose systems webhooks are registered: what is there, and how that is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from syncline.model.secret import Secret


class Webhook(Struct, frozen=True):
    """A webhook as a system has it. `events` is None where it doesn't tell them.

    >>> Webhook("7", "https://syncline.example.com/hook", ("push",)).active
    True
    """

    id: str
    url: str
    events: tuple[str, ...] | None = None
    active: bool = True


class Wanted(Struct, frozen=True):
    """A webhook as it is to be registered; `id` is the system's, '' for one that isn't there yet.

    >>> Wanted("push", "https://syncline.example.com/hook", ("push",)).secret is None
    True
    """

    name: str
    url: str
    events: tuple[str, ...] = ()
    secret: Secret | None = None
    id: str = ""


class Webhooks(Protocol):
    """The webhooks of one account at a system. Used by one thread; `close` it.

    >>> class Nowhere:
    ...     def place(self) -> str:
    ...         return "nowhere"
    ...     def there(self) -> tuple[Webhook, ...]:
    ...         return ()
    ...     def register(self, wanted: Wanted) -> None:
    ...         pass
    ...     def delete(self, id: str) -> None:
    ...         pass
    ...     def close(self) -> None:
    ...         pass
    >>> webhooks: Webhooks = Nowhere()
    """

    def place(self) -> str:
        """Where its ids mean something: the same for whatever leads to the same list, however credentials change."""

    def there(self) -> tuple[Webhook, ...]:
        """All that are registered. `Invalid` (SYN792) where the system's answer says no id or URL."""

    def register(self, wanted: Wanted) -> None:
        """Registers one, or changes the one that has its id. `Stalled` (SYN791) where it is refused."""

    def delete(self, id: str) -> None:  # noqa: A002 - the field's word
        """Deletes one; one that is gone already is no error."""

    def close(self) -> None:
        """Gives back its connections."""
