"""What pull requests see of the daemon: the snapshot of its state that it publishes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncline.daemon.publish import Publisher
    from syncline.executor.facilities import Facilities


@dataclass(frozen=True, slots=True)
class Review:
    """What the daemon does for reviews, besides applying what comes of them."""

    publisher: Publisher | None = None

    def looked(self, facilities: Facilities) -> None:
        """After each look at the source, whatever came of it."""
        if self.publisher is not None:
            self.publisher.publish(facilities)
