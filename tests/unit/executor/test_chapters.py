"""Checkpoints in chapters: what is kept of files is kept once, and comes back whole."""

from __future__ import annotations

from itertools import pairwise

import pytest

from syncline.executor.batches.chapters import ROOM, over
from syncline.executor.batches.checkpoint import Checkpoint
from syncline.model.errors import Invalid
from syncline.model.run import Counts, FileCounts
from syncline.sdk.chapters import apart, together


class Kept:
    """What a destination has of a flow, and how many characters it was given with each commit."""

    def __init__(self) -> None:
        self.head = ""
        self.chapters: dict[int, str] = {}
        self.sizes: list[int] = []

    def save(self, text: str) -> None:
        self.head, anew, chapters = apart(text)
        self.chapters = chapters if anew else self.chapters | chapters
        self.sizes.append(len(text))

    @property
    def text(self) -> str:
        return together(self.head, self.chapters)


def commit(checkpoint: Checkpoint, kept: Kept, done: dict[str, object], file: str) -> Checkpoint:
    """One more batch of a file; what the destination has is the same."""
    counts = Counts(read=3, written=2, rejected=1)
    position = {"done": done} if file in done else {"file": file, "done": done}
    after = checkpoint.advance(position=position, counts=counts, read=bytes(32), written=bytes(32), file=file).turned()
    kept.save(after.kept())
    after = after.settled()
    assert Checkpoint.loads(kept.text) == after
    return after


def import_of(
    files: int, kept: Kept, start: Checkpoint | None = None, done: dict[str, object] | None = None
) -> Checkpoint:
    """Files of two batches each."""
    checkpoint, done = start or Checkpoint("f", "r", "b"), done or {}
    for name in (f"file-{n:05}.csv" for n in range(files)):
        checkpoint = commit(checkpoint, kept, done, name)
        done = {**{n: each for n, each in done.items() if n != name}, name: {"size": 1, "digest": "d" * 64}}
        checkpoint = commit(checkpoint, kept, done, name)
    return checkpoint


def test_no_commit_is_longer_for_the_files_before_it():
    """Of 500 files, each commit writes less than two chapters, and all together a small multiple of what there is."""
    kept = Kept()
    checkpoint = import_of(500, kept)
    assert max(kept.sizes) < 3 * ROOM
    assert len(checkpoint.dumps()) > 10 * ROOM
    assert sum(kept.sizes) < 1000 * ROOM
    assert checkpoint.files == {f"file-{n:05}.csv": FileCounts(6, 2, 0) for n in range(500)}


def test_a_checkpoint_that_is_short_is_whole():
    """Of a few files, the destination has what every program before this one reads."""
    kept = Kept()
    checkpoint = import_of(10, kept)
    assert kept.text == checkpoint.dumps()


def test_what_is_done_is_whole_again():
    """The end of a run leaves one text, and no chapters."""
    kept = Kept()
    checkpoint = import_of(100, kept)
    assert kept.chapters
    done = Checkpoint(**{name: getattr(checkpoint, name) for name in Checkpoint.__struct_fields__} | {"done": True})
    kept.save(done.kept())
    assert not kept.chapters
    assert kept.text == done.dumps()


def test_a_run_that_goes_on_after_another_begins_with_what_that_one_read():
    """The position that it began from is kept once as well; files that changed are told anew."""
    first = import_of(100, Kept())
    kept = Kept()
    start = Checkpoint("f", "r2", "b", position=first.position, before=first.position)
    done = dict(first.position["done"]) if first.position else {}
    checkpoint = import_of(100, kept, start, done)
    assert checkpoint.before == first.position
    assert max(kept.sizes[1:]) < 3 * ROOM < kept.sizes[0]


def test_files_that_are_forgotten_stay_forgotten():
    """A place that tells of new files isn't remembered for ever: what is left out isn't back with the next start."""
    kept = Kept()
    checkpoint = Checkpoint("f", "r", "b")
    done: dict[str, object] = {}
    for name in (f"file-{n:05}.csv" for n in range(300)):
        done = dict(list({**done, name: {"size": 1, "digest": "d" * 64}}.items())[-50:])
        checkpoint = commit(checkpoint, kept, done, name)
    assert checkpoint.position is not None
    assert list(checkpoint.position["done"]) == [f"file-{n:05}.csv" for n in range(250, 300)]


def test_chapters_of_a_run_that_is_over_go_with_the_first_commit_of_the_next():
    """Also where an earlier program had written over their checkpoint: they mean nothing to who reads it."""
    kept = Kept()
    whole = import_of(100, kept)
    kept.head = whole.dumps()
    again = Checkpoint.loads(kept.text)
    assert again.files == whole.files
    commit(again, kept, {}, "x.csv")
    assert not kept.chapters


def test_chapters_that_take_the_place_of_others_are_numbered_on():
    """Not every database lets a row go and come again in one transaction."""
    kept = Kept()
    earlier = import_of(100, kept)
    start = Checkpoint("f", "r2", "b", chapters=over(kept.chapters))
    done = {f"file-{n:05}.csv": {"size": 1, "digest": "d" * 64} for n in range(100)}
    later = commit(start, kept, dict(done), "x.csv")
    assert kept.head.startswith('{"version":2')
    assert earlier.chapters.last < later.chapters.first == min(kept.chapters)


def test_a_checkpoint_with_a_chapter_too_few_is_refused():
    """Files would be read again, and their rows be there twice."""
    kept = Kept()
    import_of(100, kept)
    for missing in kept.chapters:
        with pytest.raises(Invalid, match="chapters") as error:
            Checkpoint.loads(together(kept.head, {n: text for n, text in kept.chapters.items() if n != missing}))
        assert error.value.code == "SYN705"


def test_chapters_are_in_a_row():
    """Each has the next number, whoever reads them."""
    kept = Kept()
    import_of(200, kept)
    assert all(later == earlier + 1 for earlier, later in pairwise(kept.chapters))


@pytest.mark.parametrize(
    "position",
    [
        None,
        {"v": 2, "cursors": {"a": "1"}},
        {"v": 1, "done": True},
        {"done": ["a.csv"]},
        {"done": {"a": None}},
        {"done": {}, "v": 1},
        {"before": "2026-01-01", "files": {"a": [1]}},
    ],
)
def test_a_position_of_any_source_comes_back_as_it_was(position):
    """Also with chapters, which a run has that began from a long position, and whatever is called as what they have of files."""
    before = {"cursors": {f"partition-{n:05}": "2026-01-01" for n in range(500)}}
    kept = Kept()
    checkpoint = Checkpoint("f", "r", "b", before=before)
    for _ in range(2):
        after = checkpoint.advance(position=position, counts=Counts(read=1), read=bytes(32), written=bytes(32)).turned()
        kept.save(after.kept())
        checkpoint = after.settled()
        assert kept.chapters
        assert Checkpoint.loads(kept.text) == checkpoint
