"""Taking away what is kept beside the data, once a flow is over for good."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Leaving(Protocol):
    """
    What a destination may offer besides: having nothing of ours left but the rows.

    Example: `destination.leave("orders", "acme/Sync/orders")`, after the flow was retired.
    """

    def leave(self, stream: str, flow: str, *, shared: bool = False) -> None:
        """
        Removes what is kept of a flow and of its stream: the position, the fence, what undoing would need, tables that
        a run left half-way; tables of ours that are empty then go as well. The rows of the stream stay as they are.

        Where the stream is `shared`, another flow still writes it: then only what is of this flow goes.

        Doing it again does nothing. Durable when it returns; whoever still writes the flow is refused.
        """
