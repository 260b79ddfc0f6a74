"""What a source connector implements, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from msgspec import Struct

from syncline.model.ledger import Ledger
from syncline.model.schema import Schema
from syncline.model.secret import Secret
from syncline.sdk.batch import Batch, Position
from syncline.sdk.clients import Network
from syncline.sdk.keep import Keep

#: The field of a record that says that it was deleted at the source: what `SourceRequest.tombstones` asks for.
TOMBSTONE = "_syncline_deleted"

#: Bytes of source that a batch is made of, unless told otherwise.
BATCH_BYTES = 8 * 1024 * 1024
#: Records of a batch at most, unless told otherwise.
BATCH_ROWS = 50_000

if TYPE_CHECKING:
    from pydantic import BaseModel

    from syncline.sdk.auth.tokens import TokenStore

#: Configuration of an integration, defaults filled in, secret references resolved.
Config = Mapping[str, str | int | float | bool | Secret]


@dataclass(frozen=True, slots=True)
class Credentials:
    """Resolved authentication: `type` as in AuthConfig (`none`, `api_key`, `basic`, `bearer`, `oauth2`, …), its plain
    settings (header name, user name, URLs) and its secrets (`value`, `password`, `token`), by their names in Python.
    `former` are values that were replaced, and may be tried where the new ones are refused.

    >>> Credentials("bearer", secrets={"token": Secret("t0k3n")})
    Credentials(type='bearer', settings={}, secrets={'token': Secret(***)})
    """

    type: str = "none"
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    former: Mapping[str, Secret] = field(default_factory=dict, repr=False)


def _silent(name: str, value: float) -> None:
    del name, value


def unwaited(seconds: float, why: str) -> None:
    """Tells nobody that something waits.

    >>> unwaited(42.0, "desk.example announced that its quota is used up (429)")
    """
    del seconds, why


def patient() -> bool:
    """A system that fails is waited for.

    >>> patient()
    True
    """
    return True


def _unheard(text: str) -> None:
    del text


@dataclass(frozen=True, slots=True)
class Instance:
    """One integration, ready to be opened: where it is, how to authenticate, what it may use.

    `connector` is the Connector's spec, `integration` the Integration's; `root` is the folder that relative paths in
    `config` start from. `count(name, value)` adds to a metric (`requests`, `retries`, `bytes`, `throttled`).
    `took(host, seconds)` hears how long each exchange with a host took; `waits(seconds, why)` that it waits from now
    on, from any thread.
    `patience()` is asked before a wait for a system that fails: whether to wait and ask it again, or to give up.
    `keep` may hold idle connections of earlier uses; `network` is what may be reached, and what HTTP clients use.
    `home` is the resolved folder of state, keys and audit log, which no connector may enter. `ledger` is where a
    destination without transactions keeps its checkpoints; None for sources. `tokens(basis)` keeps the token that the
    servers of its AuthConfig give (None: it doesn't outlive the connector). `spool` is the most bytes of disk that
    unpacking one file may take (None: any).

    Example: what a runtime's `open_source(instance, request)` takes out of it:

        path = instance.root / str(instance.config["root"])
    """

    name: str
    connector: BaseModel
    integration: BaseModel
    config: Config
    root: Path
    credentials: Credentials = field(default_factory=Credentials)
    region: str = ""
    count: Callable[[str, float], None] = _silent
    notice: Callable[[str], None] = _unheard
    took: Callable[[str, float], None] = _silent
    waits: Callable[[float, str], None] = unwaited
    patience: Callable[[], bool] = patient
    keep: Keep | None = None
    network: Network = Network()  # noqa: RUF009 - a frozen value
    tokens: Callable[[str], TokenStore] | None = None
    home: Path | None = None
    ledger: Ledger | None = None
    spool: int | None = None


class SourceRequest(Struct, frozen=True):
    """What to read from a stream.

    `schema` is the declared record schema, or None; `paths` are the dotted source paths that will be used (mapping,
    key, cursor), enough to read a stream without a schema. `incremental` asks to read past the cursor only. `needed`
    are the fields that the mapping can't do without: a source that sees its schema break stops; None: it goes on.
    `tombstones` asks for deleted records too: their field `TOMBSTONE` is true (or the text of it, without a schema).
    `digests` asks for those of what is read whole: see `Digesting`. `trial`: no position of it is kept, so what the
    source has the system make for it is taken away again by `close`, and what a kept position stands for is left alone.

    >>> SourceRequest("tickets", schema=None, paths=("id", "requester.email"), incremental=True).batch_rows
    50000
    """

    stream: str
    schema: Schema | None
    paths: tuple[str, ...]
    incremental: bool = False
    tombstones: bool = False
    batch_rows: int = BATCH_ROWS
    batch_bytes: int = BATCH_BYTES
    needed: tuple[str, ...] | None = None
    digests: bool = False
    trial: bool = False


class Source(Protocol):
    """A stream being read. Used by one thread; `close` is called once, whatever happened.

    Example: how one is read, from its first record or from a kept position:

        for batch in source.read(position):
            keep(batch.position)
    """

    @property
    def schema(self) -> Schema:
        """Schema of the records as read: known after opening (from declaration, header or metadata)."""

    def read(self, position: Position | None) -> Iterator[Batch]:
        """
        Yields batches from a position (None: from the start) to the end, in an order that `position` can resume.

        Reading again from the position of a batch yields what came after it: nothing is lost, nothing is read twice,
        for sources that keep still. A batch may be empty when only the position moved. The next one is asked for while
        this one is still on its way, unless it says `settle`: then after it is committed. Raises `Again`, `Stalled`
        or `Invalid`; whatever was yielded before stays valid.
        """

    def close(self) -> None:
        """Releases what it holds."""


@runtime_checkable
class Measured(Protocol):
    """A source that knows how much there is to read, so that progress can be shown as a share.

    >>> class File:
    ...     total_bytes = 1_000
    >>> isinstance(File(), Measured)
    True
    """

    @property
    def total_bytes(self) -> int | None:
        """Bytes that a read from the start would read; None where it can't be known."""


@runtime_checkable
class Digesting(Protocol):
    """A source that can say what it read whole, so that others can tell whether they have the same.

    Example: after a run of which that was asked, `source.digests(position)["crm.csv"]` is what `sha256sum` prints.
    """

    def digests(self, position: Position | None) -> Mapping[str, str]:
        """SHA-256, in hex, of what was read to its end when the source stood there, by its name."""

    def sizes(self, position: Position | None) -> Mapping[str, int]:
        """Bytes of what was read to its end, likewise; of what is packed, as it lies there."""


def plain(config: Config) -> dict[str, Any]:
    """Configuration without its secrets, for templates and messages.

    >>> plain({"site": "acme", "token": Secret("t0k3n")})
    {'site': 'acme'}
    """
    return {name: value for name, value in config.items() if not isinstance(value, Secret)}
