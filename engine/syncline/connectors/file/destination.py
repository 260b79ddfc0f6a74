"""Writing streams as folders of parts: `<root>/<stream>/part-<run>-<number>.<format>`, listed in `_syncline.json`."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from syncline.connectors.file import subjects, undoing
from syncline.connectors.file.fences import Fences
from syncline.connectors.file.folder import declared_root, locate, root_of
from syncline.connectors.file.listing import STREAM, Folder, Listing, Pending, columns_of, file_name, folders_in, usable
from syncline.connectors.file.render import FORMATS, refusals, render
from syncline.connectors.file.whereabouts import Whereabouts
from syncline.model.errors import Bug, Denied, Invalid, SynclineError, Waiting
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.destination import Fence, Refusal, Target, Written
from syncline.sdk.frame import target_dtype, target_frame_schema
from syncline.sdk.observation import Difference, Observation
from syncline.sdk.private import make_private
from syncline.sdk.source import Instance

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from syncline.sdk.reversal import Kept, Undoing, Undone

_FORMULAS = ("neutralise", "keep")


class FileDestination:
    """A root with one folder a stream. A flow's checkpoint is in the folder that it writes to."""

    def __init__(self, root: Path, form: str, *, neutralise: bool, home: Path | None = None) -> None:
        self._root = root
        self._home = home
        self._format = form
        self._neutralise = neutralise
        self._fences = Fences(root)
        self._where = Whereabouts(root)

    def fence(self, flow: str, fence: Fence, *, anew: bool = False) -> None:
        """Takes a flow, and removes what whoever had it has left half done; see `Fencing.fence`."""
        self._fences.claim(flow, fence, anew=anew)
        with self._fences.held(flow):
            for folder, found in self._of(flow):
                if flow in found.flows:
                    with folder.locked():
                        if listing := folder.load():
                            folder.clear(listing)

    def checkpoint(self, flow: str) -> str | None:
        """The last durable checkpoint of a flow."""
        states = [listing.flows[flow] for _, listing in self._of(flow) if flow in listing.flows]
        return max(states, key=lambda state: state.serial).checkpoint if states else None

    def forget(self, flow: str) -> None:
        """Deletes the checkpoint of a flow."""
        with self._fences.held(flow):
            self._drop(flow)

    def _drop(self, flow: str, keep: Folder | None = None) -> None:
        for folder, found in self._of(flow):
            if flow not in found.flows or (keep and folder.path == keep.path):
                continue
            with folder.locked():
                if listing := folder.load():
                    folder.save(listing.without(flow))

    def move(self, previous: str, flow: str) -> None:
        """Renames the checkpoint of a flow; one that `flow` already has is replaced."""
        if self.checkpoint(previous) is None:
            return
        with self._fences.held(flow):
            self._fences.retire(previous)
            self._where.note(flow, self._having(previous) | self._having(flow))
            for folder, _ in self._readable(previous, flow):
                self._rename(folder, previous, flow)
            self._where.remove(previous)

    @staticmethod
    def _rename(folder: Folder, previous: str, flow: str) -> None:
        with folder.locked():
            listing = folder.load()
            if listing is None:
                return
            changed = listing.without(flow).without(previous)
            if previous in listing.flows:
                changed = replace(changed, flows={**changed.flows, flow: listing.flows[previous]})
            if listing.pending and listing.pending.flow == previous:
                changed = replace(changed, pending=replace(listing.pending, flow=flow))
            for run, kept in listing.kept.items():
                if kept.flow == previous:
                    changed = changed.keeping(run, replace(kept, flow=flow))
            if changed != listing:
                folder.save(changed)

    def open(self, target: Target) -> FileWriter:
        """
        Makes the folder fit the schema and returns a writer; see `Destination.open`.

        Columns may be added to what is there, not changed; replaced content may have other ones. An upsert is Invalid.
        """
        self._check(target)
        with usable(self._root):
            make_private(self._root)
        folder = Folder(locate(self._root, target.stream, self._home))
        with self._fences.held(target.flow):
            with folder.locked():
                before = folder.recover()
                listing = before or Listing(self._format, columns_of(target.schema))
                finished = False
                if target.mode == "replace":
                    listing, finished = _begin_replacing(listing, target)
                    columns = columns_of(target.schema)
                else:
                    self._fits(listing, target)
                    known = {name for name, _ in listing.columns}
                    columns = (*listing.columns, *(c for c in columns_of(target.schema) if c[0] not in known))
                    listing = replace(listing, columns=columns)
                listing = self._carried(target.flow, folder, listing)
                self._where.note(target.flow, self._having(target.flow) | {folder.path.name})
                if listing != before:
                    folder.save(listing)
                folder.recover()
            self._drop(target.flow, keep=folder)
            self._where.note(target.flow, {folder.path.name})
        schema = Schema(tuple(Field(name, DataType.parse(kind)) for name, kind in columns))
        return FileWriter(
            folder, target, schema, self._format, self._fences, neutralise=self._neutralise, finished=finished
        )

    def observe(self, target: Target) -> Observation:
        """Whether the parts that the folder lists are there, with the sizes that they were written with."""
        folder = Folder(locate(self._root, target.stream, self._home))
        try:
            listing = folder.load()
        except Invalid as error:
            return Observation((Difference("unfit", f"folder {target.stream}", error.message),))
        if listing is None:
            return Observation((Difference("gone", f"folder {target.stream}", "it has no list of its parts"),))
        found: list[Difference] = []
        with usable(folder.path):
            sizes = {path.name: path.stat().st_size for path in folder.path.iterdir()}
        for part in listing.parts if listing.swap is None else ():  # a swap under way is completed by the next run
            if part.file not in sizes:
                found.append(Difference("unfit", f"part {part.file}", f"it is gone, with {part.rows:,} rows"))
            elif sizes[part.file] != part.size:
                message = f"it has {sizes[part.file]:,} bytes and was written with {part.size:,}"
                found.append(Difference("unfit", f"part {part.file}", message))
        found += [
            Difference("extra", f"file {name}", "no run has written it")
            for name in sorted(sizes)
            if not name.startswith((".", "_syncline", "part-"))  # a part that isn't listed is a killed run's
        ]
        return Observation(tuple(found), empty=not listing.rows)

    def has(self, stream: str) -> bool:
        """Whether the folder is there, with a list of its parts; see `SubjectRows`."""
        return Folder(locate(self._root, stream, self._home)).load() is not None

    def find(self, stream: str, column: str, value: str | int) -> list[dict[str, Any]]:
        """The rows in which a column has a value; see `SubjectRows`."""
        return subjects.find(Folder(locate(self._root, stream, self._home)), column, value)

    def erase(self, flow: str, stream: str, column: str, value: str | int) -> int:
        """Deletes them; see `SubjectRows`."""
        folder = Folder(locate(self._root, stream, self._home))
        if folder.load() is None:
            return 0
        with self._fences.held(flow), folder.locked():
            return subjects.erase(folder, column, value)

    def remains(self) -> str:
        """What may be left of them; see `SubjectRows`."""
        return "files that had such rows are deleted, which doesn't overwrite them on the disk"

    def leave(self, stream: str, flow: str, *, shared: bool = False) -> None:
        """Removes the flow from every list of parts, and its fence; the list stays, since it says what counts."""
        del stream, shared
        with self._fences.held(flow):
            for folder, _ in self._readable(flow):
                with folder.locked():
                    if (listing := folder.load()) is not None and (left := listing.leaving(flow)) != listing:
                        folder.save(left)
                        folder.clear_kept(left)
        self._where.remove(flow)
        self._fences.remove(flow)

    def kept(self, run: str) -> Kept | None:
        """What is kept of a run; see `Reversing`. A damaged list matters where its folder has something of the run."""
        found = self._keeping(run)
        return undoing.kept(*found, run) if found is not None else None

    def undo(self, what: Undoing) -> Undone:
        """Takes a run's writes back; see `Reversing`."""
        found = self._keeping(what.run)
        if found is None:
            raise undoing.nothing_kept(what.run)
        folder, _ = found
        with self._fences.held(what.flow), folder.locked():
            if not what.dry:
                self._where.note(what.flow, self._having(what.flow) | {folder.path.name})
            return undoing.undo(folder, what, lambda listing: self._carried(what.flow, folder, listing))

    def expire(self, now: datetime) -> int:
        """Removes what is kept of runs whose time is over; see `Reversing`."""
        damaged: list[tuple[Folder, SynclineError]] = []
        count = 0
        for folder, listing in self._listings(damaged):
            if listing.kept:
                try:
                    with folder.locked():
                        count += undoing.expire(folder, now)
                except SynclineError as error:
                    damaged.append((folder, error))
        if damaged:
            first = damaged[0][1]
            raise type(first)("; ".join(error.message for _, error in damaged), code=first.code, help=first.help)
        return count

    def close(self) -> None:
        """Nothing is held between writes."""

    def _of(self, flow: str) -> Iterator[tuple[Folder, Listing]]:
        """The folders that may have a flow's checkpoint; one of them that can't be used is raised."""
        noted = self._where.of(flow)
        if noted is None:
            yield from self._listings([])  # it never was here: what others have is for them to say
            return
        for name in sorted(noted):
            folder = Folder(locate(self._root, name, self._home))
            if (listing := folder.load()) is not None:
                yield folder, listing

    def _having(self, flow: str) -> set[str]:
        return {folder.path.name for folder, listing in self._of(flow) if flow in listing.flows}

    def _readable(self, *flows: str) -> Iterator[tuple[Folder, Listing]]:
        """The folders whose list can be used; another is raised where a flow may have its checkpoint there."""
        damaged: list[tuple[Folder, SynclineError]] = []
        yield from self._listings(damaged)
        noted = {name for flow in flows for name in self._where.of(flow) or ()}
        for folder, error in damaged:
            if folder.path.name in noted:
                raise error

    def _keeping(self, run: str) -> tuple[Folder, Listing] | None:
        """Where what undoing a run needs is kept. A damaged list matters where its folder has something of the run."""
        damaged: list[tuple[Folder, SynclineError]] = []
        for folder, listing in self._listings(damaged):
            if run in listing.kept:
                return folder, listing
        for folder, error in damaged:
            if folder.has_of(run):
                raise error
        return None

    def _listings(self, damaged: list[tuple[Folder, SynclineError]]) -> Iterator[tuple[Folder, Listing]]:
        """The folders with a list. One that can't be used is put to those that are `damaged`."""
        for folder in folders_in(self._root):
            try:
                listing = folder.load()
            except SynclineError as error:
                damaged.append((folder, error))
                continue
            if listing is not None:
                yield folder, listing

    def _carried(self, flow: str, folder: Folder, listing: Listing) -> Listing:
        """With the checkpoint of a flow that wrote to another folder before, so that this one's is the current."""
        others = [o.flows[flow] for other, o in self._of(flow) if other.path != folder.path and flow in o.flows]
        newest = max(others, key=lambda state: state.serial, default=None)
        mine = listing.flows.get(flow)
        if newest is None or (mine is not None and mine.serial > newest.serial):
            return listing
        return replace(listing, flows={**listing.flows, flow: replace(newest, serial=newest.serial + 1)})

    def _check(self, target: Target) -> None:
        if target.mode == "upsert":
            raise Invalid(
                f"{target.stream}: files can't be upserted",
                code="SYN470",
                help="Use `write: append` or `write: replace`, or a database as the destination.",
            )
        if not STREAM.fullmatch(target.stream):
            raise Invalid(
                f"{target.stream!r} can't be the name of a folder",
                code="SYN471",
                help="Use letters, digits, '_', '-' and '.', beginning with a letter or a digit.",
            )
        for field in target.schema.fields:
            if field.fields or field.repeated or field.type.name == "number":
                raise Invalid(
                    f"column {field.name!r} of {target.stream!r} has no scalar type",
                    code="SYN472",
                    help="Give it an exact type in the mapping, such as decimal(14,2) or json.",
                )

    def _fits(self, listing: Listing, target: Target) -> None:
        if listing.parts and listing.format != self._format:
            raise Invalid(
                f"{target.stream} has {listing.format} parts and {self._format} would be added",
                code="SYN472",
                help="Set config.format back, write to another stream, or use `write: replace`.",
            )
        known = dict(listing.columns)
        for name, kind in columns_of(target.schema):
            if known.get(name, kind) != kind:
                raise Invalid(
                    f"{target.stream}: column {name!r} was written as {known[name]} and is {kind} now",
                    code="SYN472",
                    help="Columns may be added, not changed: write to another stream, or use `write: replace`.",
                )


class FileWriter:
    """An open write to a folder. `schema` has the columns of its parts: the target's, and those that only it has."""

    def __init__(
        self,
        folder: Folder,
        target: Target,
        schema: Schema,
        form: str,
        fences: Fences,
        *,
        neutralise: bool,
        finished: bool,
    ) -> None:
        self._folder = folder
        self._target = target
        self._schema = schema
        self._format = form
        self._fences = fences
        self._neutralise = neutralise
        self._finished = finished
        self._frame_schema = target_frame_schema(target.schema)

    def write(self, frame: pl.DataFrame, checkpoint: str) -> Written:
        """Adds a part and moves the checkpoint; see `Writer.write`."""
        if dict(frame.schema) != self._frame_schema:
            raise Bug(f"{self._target.stream!r} was given columns that its schema doesn't have")
        if self._finished:
            raise Bug(f"run {self._target.run} has already replaced {self._target.stream!r}")
        if refused := self.refuse(frame):
            first = refused[0]
            raise Invalid(f"{self._target.stream}: {first.column}: {first.message}", code="SYN485")
        data, part = self._rendered(frame) if frame.height else b"", None
        with self._fences.held(self._target.flow), self._folder.locked():
            listing = self._current()
            pending = listing.pending if self._target.mode == "replace" else None
            if frame.height:
                run = file_name(self._target.run)
                part = self._folder.add(data, frame.height, run, self._format, pending=pending is not None)
                if pending is None:
                    listing = replace(listing, parts=(*listing.parts, part))
                else:
                    listing = replace(listing, pending=replace(pending, parts=(*pending.parts, part)))
            if pending is None:
                listing = undoing.keep_batch(listing, self._target, part)
            self._folder.save(listing.saved(self._target.flow, self._target.run, checkpoint))
        return Written(frame.height)

    def refuse(self, frame: pl.DataFrame) -> list[Refusal]:
        """Values that the format can't hold."""
        return refusals(frame, self._target.schema, self._format)

    def finish(self, checkpoint: str) -> None:
        """Makes the last checkpoint durable and puts a replacement in place; repeated, it does nothing more."""
        with self._fences.held(self._target.flow), self._folder.locked():
            listing = self._current().saved(self._target.flow, self._target.run, checkpoint)
            if listing.pending is None or self._finished or self._target.mode != "replace":
                self._folder.save(listing)
                return
            parts = listing.pending.parts
            self._guard(listing.rows, sum(part.rows for part in parts))
            listing = undoing.keep_replaced(self._folder, listing, self._target, parts)
            listing = replace(
                listing,
                format=self._format,
                columns=columns_of(self._schema),
                parts=parts,
                pending=None,
                swap=tuple(part.file for part in listing.parts),
            )
            self._folder.save(listing)  # from here on the new parts count; the rest can be done at any time
            self._folder.settle(listing)
        self._finished = True

    def abort(self) -> None:
        """Nothing is uncommitted between writes. What a replacing run gathered waits for a run of the same id."""

    def _rendered(self, frame: pl.DataFrame) -> bytes:
        import polars as pl

        missing = [f for f in self._schema.fields if f.name not in frame.columns]
        full = frame.with_columns([pl.lit(None, target_dtype(f.type)).alias(f.name) for f in missing])
        return render(full.select(self._schema.names), self._schema, self._format, neutralise=self._neutralise)

    def _current(self) -> Listing:
        """The list as it is now, if this writer may still change it."""
        listing = self._folder.load()
        if listing is None:
            raise Bug(f"the list of {self._target.stream!r} went away while it was written")
        ours = (self._target.flow, self._target.run)
        if self._target.mode == "replace" and not self._finished:
            pending = listing.pending
            if pending is None or (pending.flow, pending.run) != ours:
                raise Waiting(
                    f"another run replaces {self._target.stream!r}",
                    help="Let one flow replace a stream, and one run at a time.",
                    on=f"{pending.flow} run {pending.run}" if pending else self._target.stream,
                )
        return listing

    def _guard(self, before: int, after: int) -> None:
        allowed = self._target.max_shrink
        if allowed is not None and before - after > before * Decimal(str(allowed)):
            raise Denied(
                f"{self._target.stream!r} would shrink from {before:,} rows to {after:,}; at most {allowed:.1%} may go",
                code="SYN475",
                help="Look at the source. If the rows are really gone, raise guards.maxShrink for this run.",
            )


def _begin_replacing(listing: Listing, target: Target) -> tuple[Listing, bool]:
    """Continues or begins a replacement; True if this run's is already in place."""
    state, pending = listing.flows.get(target.flow), listing.pending
    ours = pending is not None and (pending.flow, pending.run) == (target.flow, target.run)
    if state is not None and state.run == target.run:
        if pending is None:
            return listing, True
        if ours:
            return listing, False
    if pending is not None:
        # The checkpoint speaks of rows that are dropped now: whoever continued after it would lose them.
        listing = listing.without(pending.flow)
    return replace(listing, pending=Pending(target.flow, target.run)), False


def format_of(instance: Instance) -> str:
    """The format of the parts, as it is configured."""
    return str(instance.config.get("format", "parquet"))


def open_destination(instance: Instance) -> FileDestination:
    """Opens the root for writing, which the first write makes if it is missing; Invalid for unknown options."""
    form = format_of(instance)
    formulas = str(instance.config.get("formulas", "neutralise"))
    for name, value, known in (("format", form, FORMATS), ("formulas", formulas, _FORMULAS)):
        if value not in known:
            raise Invalid(
                f"{instance.name}: config.{name} can't be {value!r}",
                code="SYN474",
                help=f"It is one of {', '.join(known)}.",
            )
    root = declared_root(instance)
    return FileDestination(
        root_of(instance) if root.exists() else root, form, neutralise=formulas == "neutralise", home=instance.home
    )
