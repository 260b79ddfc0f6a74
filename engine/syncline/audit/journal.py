"""The write-ahead journal of the audit log: events are durable when they are appended, and are signed in batches.

A commit of the log writes and syncs six files and folders. The journal is one file with one sync, so that many small
batches cost little; `publish` takes all of them into the log as one batch, under one signed checkpoint, and empties it.

Promises:

- What `append` returned for is in the journal on disk, or in the log.
- `publish` never adds a batch twice and never leaves one out: each record says at which index of the log it goes.
- The half record of a writer that died in `append`, for which nothing returned, is dropped. Any other damage is told.

Threads take turns by the caller's lock, processes by a lock on the file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from syncline.audit import tiles
from syncline.audit.checkpoint import Checkpoint
from syncline.audit.log import AuditLog
from syncline.audit.malformed import Malformed
from syncline.audit.waiting import lock
from syncline.model.errors import Stalled

#: Readers of the log pass over names with a dot.
NAME = ".journal"

#: Of a record: the index in the log of its first entry, the bytes of its entries, their SHA-256; then a checksum of
#: these, so that a record whose length was changed isn't taken for one that is cut.
_FIELDS = struct.Struct(">QI32s")
_HEAD_BYTES = _FIELDS.size + 4


def _checksum(fields: bytes) -> bytes:
    return zlib.crc32(fields).to_bytes(4, "big")


class Journal:
    """A journal open for appending, beside the log that it is published to."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._path = str(log.directory / NAME)
        self._descriptor = -1
        self._end = -1  # of the last whole record, as far as this process knows
        self._begin = b""  # the index of the first entry, as it is written
        self._next = 0  # the index after the last

    def append(self, entries: Sequence[bytes]) -> None:
        """Appends entries of at most 65,535 bytes each; durable when it returns. `Stalled` where it can't be."""
        data = tiles.encode_bundle(entries)
        with self._locked():
            self._to_end()
            fields = _FIELDS.pack(self._next, len(data), hashlib.sha256(data).digest())
            self._write(fields + _checksum(fields) + data)
            self._next += len(entries)

    def pending(self) -> int:
        """Bytes that aren't in the log yet."""
        try:
            return os.stat(self._path).st_size  # noqa: PTH116 - a path as text; this is asked at each append
        except FileNotFoundError:
            return 0

    def publish(self) -> Checkpoint | None:
        """
        Takes everything into the log, under one checkpoint, and empties the journal; what the log is then, None where
        there was nothing. `Stalled` for a damaged journal.
        """
        if not self.pending():
            return None
        with self._locked():
            return self._publish()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Publishes everything, and keeps others from appending and publishing while the log itself is changed."""
        with self._locked():
            self._publish()
            yield

    def _publish(self) -> Checkpoint:
        first, entries = self._read()
        head = self._log.checkpoint()[0]
        known = head.size - first
        if not 0 <= known <= len(entries):
            raise self._damaged(f"it begins with entry {first}, and the log has {first + known}")
        # Those that the log knows were published by somebody who died before emptying the journal.
        if fresh := entries[known:]:
            head = self._log.append_entries(fresh).checkpoint
        os.ftruncate(self._descriptor, 0)
        self._end = -1
        return head

    def close(self) -> None:
        """Closes the file; what is in it stays for the next `publish`."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _to_end(self) -> None:
        """Finds the end of the last whole record, and the index after it."""
        # Once published, it begins with a later index, even where what came after has made it as long as before.
        if 0 < self._end == os.fstat(self._descriptor).st_size and os.pread(self._descriptor, 8, 0) == self._begin:
            return
        first, entries = self._read()
        self._begin, self._next = first.to_bytes(8, "big"), first + len(entries)

    def _read(self) -> tuple[int, list[bytes]]:
        """The index of the first entry, and all entries. Drops the half record of a writer that died."""
        size = os.fstat(self._descriptor).st_size
        data = os.pread(self._descriptor, size, 0)
        first, entries, at = 0, list[bytes](), 0
        for index, bundle, end in self._records(data):
            if not entries:
                first = index
            if index != first + len(entries):
                raise self._damaged(f"entry {index} comes after entry {first + len(entries) - 1}")
            entries += bundle
            at = end
        if at < size:
            os.ftruncate(self._descriptor, at)
        self._end = at
        return first if entries else self._log.checkpoint()[0].size, entries

    def _records(self, data: bytes) -> Iterator[tuple[int, list[bytes], int]]:
        """Index, entries and end of each whole record."""
        at = 0
        while at + _HEAD_BYTES <= len(data):
            fields = data[at : at + _FIELDS.size]
            index, length, digest = _FIELDS.unpack(fields)
            if data[at + _FIELDS.size : at + _HEAD_BYTES] != _checksum(fields):
                raise self._damaged("the head of a record is not what was written")
            at += _HEAD_BYTES
            if at + length > len(data):
                return
            payload = data[at : at + length]
            try:
                if hashlib.sha256(payload).digest() != digest:
                    raise Malformed("another digest")
                bundle = tiles.decode_bundle(payload)
            except Malformed as error:
                raise self._damaged(f"the record of entry {index} is not what was written") from error
            at += length
            yield index, bundle, at

    def _write(self, record: bytes) -> None:
        try:
            view = memoryview(record)
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fdatasync(self._descriptor)
        except OSError as error:
            # Nothing may follow what is unsure. Should this fail too, the half record is dropped by who reads it.
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
            self._end = -1
            raise Stalled(
                f"the audit journal {self._path} cannot be written: {error.strerror or error}",
                code="SYN905",
                help="Make room or repair the disk; the log goes on from its last whole record.",
            ) from error
        self._end += len(record)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Holds the journal against other processes; the kernel releases it when the process dies."""
        while True:
            if self._descriptor < 0:
                self._open()
            lock(self._descriptor, "the journal of the audit log")
            if os.fstat(self._descriptor).st_nlink:
                break
            self.close()  # the file was deleted: what is written to it now would be lost
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._end = -1
        try:
            self._descriptor = os.open(self._path, flags)
        except FileNotFoundError:
            self._descriptor = os.open(self._path, flags | os.O_CREAT, 0o600)
            folder = os.open(self._log.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _damaged(self, what: str) -> Stalled:
        return Stalled(
            f"the audit journal {self._path} is damaged: {what}",
            code="SYN902",
            help="Restore the directory from a backup. Without the file, the log goes on, and lacks what was in it.",
        )
