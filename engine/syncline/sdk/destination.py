"""What a destination connector implements, and what it is given.

The promise that everything rests on: `Writer.write` makes a batch and its checkpoint durable together, or neither.
A killed run asks the destination for its last checkpoint and continues after it; so no row is lost or doubled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from msgspec import Struct, field

from syncline.model.schema import Schema
from syncline.sdk.offers import offers

if TYPE_CHECKING:
    import polars as pl

    from syncline.sdk.reversal import Keeping

WriteMode = Literal["append", "upsert", "replace"]


class Alike(Struct, frozen=True):
    """
    A floor of k-anonymity: at least `k` rows of a table have the same values in these columns, whichever row it is. A
    writer that is given it counts in what it gathered, in the transaction of the swap, and raises `Denied` (SYN517).

    >>> Alike(("born", "zip"), 5).k
    5
    """

    columns: tuple[str, ...]
    k: int


class Target(Struct, frozen=True):
    """Where and how to write: `flow` names who writes (`acme/Sync/orders`), `stream` the table or folder.

    `schema.key` is the key of an upsert. `run` identifies the run whose batches belong together. `max_shrink` bounds
    how much smaller a replaced table may get, as a fraction (None: unbounded). `sweeps`: the run will delete the rows
    that it doesn't come to, see `Sweeping`. `ahead` is how many batches may be sent before their turn: see
    `Foreseeing`. `keeping`: what it writes can be undone later, see `Reversing`. `alike`: a table takes the place of
    the old one only where each row has enough like it, see `Alike`.

    >>> from syncline.model.schema import INTEGER, Field
    >>> target = Target("acme/Sync/orders", "run1", "orders", Schema((Field("id", INTEGER),), ("id",)), "upsert")
    >>> target.schema.key
    ('id',)
    """

    flow: str
    run: str
    stream: str
    schema: Schema
    mode: WriteMode
    max_shrink: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    sweeps: bool = False
    ahead: int = 0
    keeping: Keeping | None = None
    alike: Alike | None = None


class Written(Struct, frozen=True):
    """
    What a write did. `inserted + updated + unchanged + deleted + left_out` is the number of rows, and of keys to
    delete, given. `left_out` are rows that aren't there, though nothing refused them: a trigger may do that without a
    word.

    >>> Written(inserted=2, unchanged=1)
    Written(inserted=2, updated=0, unchanged=1, deleted=0, left_out=0)
    """

    inserted: int
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    left_out: int = 0


class Refusal(Struct, frozen=True):
    """A value that the destination can't hold although its type is right: the row's index in the frame, and why.

    >>> Refusal(3, "note", "PostgreSQL's text can't hold NUL").column
    'note'
    """

    row: int
    column: str
    message: str


class Writer(Protocol):
    """An open write. Used by one thread.

    Example: what a run does with one, after each batch and at the end:

        writer.write(frame, checkpoint)
        writer.finish(checkpoint)
    """

    def write(self, frame: pl.DataFrame, checkpoint: str) -> Written:
        """
        Writes a batch and its checkpoint in one transaction; durable when it returns.

        The frame has exactly the columns and types of the target's schema, keys unique inside the frame and not null
        (for upsert). It may have no rows: then only the checkpoint moves. Writing the same checkpoint again after an
        unknown outcome has no second effect if the caller first asks `Destination.checkpoint`.
        """

    def finish(self, checkpoint: str) -> Written | None:
        """Ends a run that read everything: swaps a replaced table in, and makes the last checkpoint durable."""

    def abort(self) -> None:
        """Gives up what is not committed. Committed batches stay, except in replace mode, where the old table stays."""


class Rendered(Struct, frozen=True):
    """
    A frame made ready for writing. Where the writer sends bytes, `parts` are these, and `digest` is their SHA-256.

    >>> import polars as pl
    >>> Rendered(pl.DataFrame({"id": [1]}), (b"1",)).frame.height
    1
    """

    frame: pl.DataFrame
    parts: tuple[bytes, ...] = ()
    digest: bytes = b""


@runtime_checkable
class Rendering(Protocol):
    """
    What a writer may offer besides: the work of a write that touches nothing, apart from it.

    `render` may be called in another thread, while an earlier batch is written. `write(frame, …)` is
    `write_rendered(render(frame), …)`.

    Example: `connectors/sql/writer.py` renders a batch as COPY's text while the server still works on the one before.
    """

    def render(self, frame: pl.DataFrame) -> Rendered:
        """A frame ready to be written; raises what `write` would raise for its values."""

    def write_rendered(self, rendered: Rendered, checkpoint: str) -> Written:
        """Writes it; see `Writer.write`."""


@runtime_checkable
class Foreseeing(Protocol):
    """
    What a writer may offer besides: working on batches before their turn, of which nothing is seen until it comes.

    Example: `writer.foresee(rendered)` for each batch, in order, while `writer.write_rendered` still writes earlier
    ones in another thread.
    """

    def foresee(self, rendered: Rendered) -> None:
        """What `write_rendered` will be given later; each is foreseen, or none."""


class Removal(Struct, frozen=True):
    """
    Rows to delete with a batch: `keys` has the columns of the target's key, none of which the batch itself writes.

    With `mark`, rows stay and that column (a timestamp, null in rows that are there) says when they were deleted.
    `allow(deleted, there)` raises `Denied` where these are too many of the rows that `there` counts, asked when needed.

    >>> import polars as pl
    >>> Removal(pl.DataFrame({"id": [1]}), "deleted_at", lambda deleted, there: None).mark
    'deleted_at'
    """

    keys: pl.DataFrame
    mark: str
    allow: Callable[[int, Callable[[], int]], None]


@runtime_checkable
class Removing(Protocol):
    """
    What a writer may offer besides: deleting rows by key in the transaction that writes a batch and its checkpoint.

    Example: `writer.write_removing(writer.render(frame), Removal(keys, "", allow), lambda deleted: text)`.
    """

    def write_removing(self, rendered: Rendered, removal: Removal, checkpoint: Callable[[int], str]) -> Written:
        """
        Removes rows and writes a batch that is ready, with the checkpoint of so many deleted rows. Keys of rows that
        aren't there, or are marked already, are `unchanged`.
        """


#: Raises `Denied` where so many deletes are too many of the rows that the function counts, asked when needed.
Allow = Callable[[int, Callable[[], int]], None]


@runtime_checkable
class Sweeping(Protocol):
    """
    What a writer may offer besides: deleting the rows of a table that a run didn't come to, by their keys.

    Keys are kept at the destination with the batches, so that a run that is continued still knows those of before.

    Example: `writer.see(keys)` before each write, and at the end `writer.sweep(allow, lambda deleted: text)`.
    """

    def see(self, keys: pl.DataFrame) -> None:
        """Notes keys that the run came to (the key's columns); they are durable with the next write."""

    def sweep(self, allow: Allow | None, checkpoint: Callable[[int], str]) -> int:
        """
        Ends the run, as `finish`, with the checkpoint of so many deleted rows: those whose key was never seen.

        All in one transaction, and nothing where `allow` raises; with None, no row is deleted. Gives their number.
        """


def rendering(writer: Writer | Limits, frame: pl.DataFrame) -> Rendered | None:
    """
    A frame made ready by the writer; None for writers that have nothing to do ahead.

    Example: `rendering(writer, frame)` while the batch before is being written, then `writer.write_rendered`.
    """
    return writer.render(frame) if offers(writer, Rendering) else None


#: The code of `Invalid` for a frame with a value that can't be held; nothing of it was written.
REFUSED = "SYN485"


@runtime_checkable
class Refusing(Protocol):
    """What a writer may offer besides: naming the values that it can't hold (NUL in PostgreSQL's text, year 10000).

    Example: `[Refusal(3, "note", "NUL")]` has the caller set row 3 aside, with this reason, and write the others.
    """

    def refuse(self, frame: pl.DataFrame) -> list[Refusal]:
        """
        Every value of the frame that can't be held, in the order of rows; empty where all can.

        `write` refuses the whole frame with `Invalid` (SYN485), having written nothing, when it has such a value. The
        caller then asks `refuse`, rejects those rows, and writes the rest. Asking first is right too, only slower.
        """


class Limits(Struct, frozen=True):
    """
    What a destination can't hold, by itself: a writer's `refuse`, without a connection, a table or a folder.

    >>> Limits(lambda frame: [Refusal(0, "note", "NUL")]).refuse(None)[0].column
    'note'
    """

    refuse: Callable[[pl.DataFrame], list[Refusal]]


def refusals(writer: Writer | Limits, frame: pl.DataFrame) -> list[Refusal]:
    """What the writer refuses of a frame; nothing, for writers that hold every value of every type.

    >>> import polars as pl
    >>> class Plain:
    ...     write = finish = abort = None
    >>> refusals(Plain(), pl.DataFrame())
    []
    """
    return writer.refuse(frame) if offers(writer, Refusing) else []


#: The codes of `Invalid` for a batch in which some rows may be to blame: a value, or what stands against it.
BLAMED = (REFUSED, "SYN486")


@runtime_checkable
class Sifting(Protocol):
    """
    What a writer may offer besides: finding the rows that its system refuses although their values can be held, such as
    those that break a constraint of a table that was there before.

    Example: what a run does once `write` has raised `Invalid` with a code of `BLAMED`, having written nothing:

        refused = writer.sift(frame, None, most=100)
    """

    @property
    def sifts(self) -> bool:
        """Whether it may be asked: the rows of others, which nothing stands against, needn't be kept for it."""

    def sift(self, frame: pl.DataFrame, removal: Removal | None, most: int | None) -> list[Refusal] | None:
        """
        The rows without which the frame can be written, after the removal, in the order of rows; empty where none is
        to blame. Nothing of it lasts. It ends early once there are more than `most`, and gives None where finding
        them one by one would take too long.
        """


class Sent(Struct, frozen=True):
    """What became of the rows of a frame: what was written, and the rows that the system refused, with its reasons.

    >>> Sent(Written(2), (Refusal(1, "", "POST /contacts: status 422: e-mail is taken"),)).refused[0].row
    1
    """

    written: Written
    refused: tuple[Refusal, ...] = ()


@runtime_checkable
class Sending(Protocol):
    """
    What a writer to a system without transactions offers besides: the two halves of `write`, apart.

    Such a system says of each row whether it takes it, after it was sent, and keeps no checkpoint. The caller sends,
    keeps what was refused as rejects, and commits. A kill in between has the rows sent again, which has no second
    effect. `write` does both and raises `Invalid` where a row is refused.

    Example: how a run writes a batch to an API:

        sent = writer.send(frame)
        keep_rejects(sent.refused)
        writer.commit(checkpoint)
    """

    def send(self, frame: pl.DataFrame) -> Sent:
        """Applies the rows that the system takes. Raises what ends the run; what was applied before is remembered."""

    def commit(self, checkpoint: str) -> None:
        """Makes the checkpoint durable, and with it what is known of the rows sent before."""

    def stop(self) -> None:
        """Has a `send` that is under way end after the requests that are; it raises `Again`. From any thread."""


@runtime_checkable
class Deleting(Protocol):
    """What a writer may offer besides: deleting the rows of the keys in a frame.

    Example: `writer.delete(pl.DataFrame({"id": [7]}))` gives `Sent(Written(0, updated=1))`.
    """

    def delete(self, frame: pl.DataFrame) -> Sent:
        """Deletes; `updated` counts rows that were there, `unchanged` those that were gone already."""


@runtime_checkable
class Cutting(Protocol):
    """
    What a destination may offer besides: being cut off from its system, where a run has waited for it too long.

    Example: what a run does once its `progressDeadline` is over while another thread writes: `destination.cut()`.
    """

    def cut(self) -> None:
        """Has what waits for the system raise, now and from then on; nothing uncommitted stays. From any thread."""


class Fence(Struct, frozen=True):
    """
    The right to write a flow: a fencing token of the state of that `lineage`, which rises with each holder.

    >>> Fence("2f9c", 3) == Fence("2f9c", 3)
    True
    """

    lineage: str
    token: int


@runtime_checkable
class Fencing(Protocol):
    """
    What a destination may offer besides: refusing a run that was followed by another one while it was slow.

    Example: what a run does first: `destination.fence("acme/Sync/orders", Fence(lineage, token))`.
    """

    def fence(self, flow: str, fence: Fence, *, anew: bool = False) -> None:
        """
        Takes a flow: from now on this destination's writes of it, and no others', count.

        `Denied` where a later token of the same state has taken it, or took it in between, then with nothing written.
        `anew` takes it whatever was seen. Called before the checkpoint is read, so that nobody moves it after that.
        """


@runtime_checkable
class Counting(Protocol):
    """
    What a destination may offer besides: how many rows a table has.

    Example: what an import's receipt says: `destination.count("orders")` is 98,900.
    """

    def count(self, stream: str) -> int:
        """The rows that are there, by whoever, asked of the system itself."""


@runtime_checkable
class Restoring(Protocol):
    """
    What a destination may offer besides: taking a flow back to an earlier checkpoint, without touching its rows.

    Example: before a run that goes on from there: `destination.restore("acme/Sync/orders", "run-7", checkpoint)`.
    """

    def restore(self, flow: str, run: str, checkpoint: str) -> None:
        """Replaces the checkpoint of a flow that has one; durable when it returns."""


class Destination(Protocol):
    """An integration that is written to. `close` is called once, whatever happened.

    Example: a run continues from where its destination is:

        position = destination.checkpoint("acme/Sync/orders")
        writer = destination.open(target)
    """

    def checkpoint(self, flow: str) -> str | None:
        """The last durable checkpoint of a flow, as it was given to `write` or `finish`; None if there is none."""

    def forget(self, flow: str) -> None:
        """Deletes the checkpoint of a flow, so that its next run reads from the start."""

    def move(self, previous: str, flow: str) -> None:
        """Renames the checkpoint of a flow; no effect where there is none."""

    def open(self, target: Target) -> Writer:
        """
        Makes the table (or folder) fit the schema and returns a writer.

        A missing table is created; missing columns are added; a column whose type can't hold the declared one is
        `Invalid` and names both. Columns that the schema doesn't have are left alone. With an unfinished run's
        checkpoint of the same `run` in place, continues it (also in replace mode).
        """

    def close(self) -> None:
        """Releases what it holds."""
