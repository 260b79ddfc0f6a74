from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from syncline.audit import checkpoint as checkpoints
from syncline.audit import cosignature, note, witness_policy
from syncline.audit.add_checkpoint import Submission
from syncline.audit.checkpoint import Checkpoint
from syncline.audit.cosigning import Unreachable, cosign, keep, verify_cosigned
from syncline.audit.fetch import DirectoryFetcher
from syncline.audit.log import AuditLog
from syncline.audit.malformed import Malformed
from syncline.audit.note import VerifierKey
from syncline.audit.prove import prove_history
from syncline.audit.signer import FileSigner
from syncline.audit.verify import verify
from syncline.audit.witness import Witness
from syncline.audit.witness_policy import WitnessPolicy
from tests.unit.audit.dying import Dies, dying

ORIGIN = "syncline.test/log"
NOW = 1_800_000_000

# Requests of the tests of another witness (litewitness of filippo.io/torchwood), with the logs that it adds before.
LITEWITNESS = [
    (
        "sigsum.org/v1/tree/985ea163f5af026723561354f51f2ebcdcf2af809ce254ccfb64aa9aadd80f90",
        "52c05edad1bf5feffa81354faae59a655d9a9a1a793ed2f62c39c26c0be2aecd",
        "7BKT0gOfNZ1J0So9unY3BZtm2YkPIoNYM/dce0Z2avJDs8dxN6ts9bOSwwrVrbjm6P9K3ZxpK6jJngOG6YvGGzV/lwo=",
    ),
    (
        "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562",
        "ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f",
        "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=",
    ),
]


@pytest.fixture
def key(tmp_path: Path) -> FileSigner:
    """The witness's own key."""
    return FileSigner.create(tmp_path / "witness" / "key", "witness.example/w1")


@pytest.fixture
def witness(tmp_path: Path, key: FileSigner, signer: FileSigner) -> Witness:
    """A witness that knows the log."""
    return Witness(tmp_path / "witness" / "seen", key, [signer.verifier], lambda: NOW)


def _grow(log: AuditLog, count: int, word: str = "entry") -> Checkpoint:
    start = log.checkpoint()[0].size
    return log.append_entries([b"%s %d" % (word.encode(), start + n) for n in range(count)]).checkpoint


def _submission(log: AuditLog, old: int) -> bytes:
    head, data = log.checkpoint()
    steps = prove_history(DirectoryFetcher(log.directory), Checkpoint(ORIGIN, old, bytes(32)), head) if old else []
    return Submission(old, tuple(steps), data).encode()


# --- the witness -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("origin", "public", "signature"), LITEWITNESS)
def test_requests_of_another_witness_are_answered_alike(
    tmp_path: Path, key: FileSigner, origin: str, public: str, signature: str
):
    """What another witness is sent by its own tests, and cosigns, ours cosigns too."""
    body = f"old 0\n\n{origin}\n1\nKgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— {origin} {signature}\n"
    witness = Witness(tmp_path / "seen", key, [VerifierKey(origin, bytes.fromhex(public))], lambda: NOW)

    answer = witness.add_checkpoint(body.encode())

    assert answer.status == 200
    head = body.split("\n\n")[1] + "\n"
    lines = note.parse(f"{head}\n".encode() + answer.body)
    assert [one.time for one in cosignature.cosignatures(lines, [cosignature.cosigner(key)])] == [NOW]
    assert witness.last(origin).size == 1


def test_it_follows_a_log(log: AuditLog, witness: Witness, key: FileSigner):
    """Each checkpoint that continues the last one is cosigned and remembered."""
    old = 0
    for count in (1, 1, 5, 300, 1):
        head = _grow(log, count)
        answer = witness.add_checkpoint(_submission(log, old))

        assert answer.status == 200
        cosigned = note.parse(head.text.encode() + b"\n" + answer.body)
        assert [one.time for one in cosignature.cosignatures(cosigned, [cosignature.cosigner(key)])] == [NOW]
        assert witness.last(ORIGIN) == head
        old = head.size


def test_the_same_again_is_cosigned_again(log: AuditLog, witness: Witness):
    """Asked again about what it has seen, it answers with a new cosignature."""
    head = _grow(log, 3)
    assert witness.add_checkpoint(_submission(log, 0)).status == 200

    assert witness.add_checkpoint(Submission(3, (), log.checkpoint()[1]).encode()).status == 200
    assert witness.last(ORIGIN) == head


def test_it_says_which_size_it_has_seen(log: AuditLog, witness: Witness):
    """Another old size than the one it has seen is answered with that, as the protocol has it."""
    _grow(log, 3)
    assert witness.add_checkpoint(_submission(log, 0)).status == 200
    _grow(log, 4)

    for old in (0, 2):
        answer = witness.add_checkpoint(_submission(log, old))
        assert (answer.status, answer.body, answer.kind) == (409, b"3\n", "text/x.tlog.size")


def _sign(signer: FileSigner, size: int, root: bytes) -> bytes:
    return checkpoints.sign(Checkpoint(ORIGIN, size, root), [signer])


def test_a_fork_is_refused(log: AuditLog, witness: Witness, signer: FileSigner, tmp_path: Path):
    """Another tree of the same size, and a longer one that doesn't continue it, are refused for good."""
    head = _grow(log, 5)
    assert witness.add_checkpoint(_submission(log, 0)).status == 200
    other = AuditLog.open(tmp_path / "other", signer, ORIGIN)
    _grow(other, 5, "forged")

    same = witness.add_checkpoint(_submission(other, 5))
    _grow(other, 4, "forged")
    longer = witness.add_checkpoint(_submission(other, 5))

    assert (same.status, longer.status) == (409, 422)
    assert b"forked" in same.body
    assert witness.last(ORIGIN) == head


def test_a_log_that_went_back_is_refused(log: AuditLog, witness: Witness, signer: FileSigner):
    """A checkpoint smaller than what it has seen is never cosigned, whatever old size is claimed."""
    small, early = _grow(log, 2), log.checkpoint()[1]
    head = _grow(log, 3)
    assert witness.add_checkpoint(_submission(log, 0)).status == 200

    for old in (0, 2, 5):
        answer = witness.add_checkpoint(Submission(old, (), early).encode())
        assert answer.status == (400 if old > small.size else 409)
    assert witness.last(ORIGIN) == head


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda body: body[:0], 400),
        (lambda body: body.replace(b"old 0", b"old 00"), 400),
        (lambda body: body.replace(b"old 0", b"old -1"), 400),
        (lambda body: body.replace(b"old 0\n", b"old 0\n" + b"A" * 43 + b"=\n"), 422),
        (lambda body: body.replace(b"old 0\n", b"old 0\n" + (b"A" * 43 + b"=\n") * 64), 400),
        (lambda body: body.replace(b"old 0\n", b"old 0\nAAAA\n"), 400),
        (lambda body: body.replace(ORIGIN.encode(), b"another/log"), 404),
        (lambda body: body.replace(b"\n3\n", b"\n4\n"), 403),
        (lambda body: body[:-3], 400),
    ],
)  # fmt: skip
def test_what_is_wrong_has_its_status(log: AuditLog, witness: Witness, change: Callable[[bytes], bytes], status: int):
    """Each kind of wrong request is answered as the specification says, and nothing is remembered of it."""
    _grow(log, 3)

    assert witness.add_checkpoint(change(_submission(log, 0))).status == status
    assert witness.last(ORIGIN).size == 0


def test_no_byte_of_a_request_can_change(log: AuditLog, witness: Witness):
    """With any byte flipped, a request is refused, except in a signature line of nobody whom the witness knows."""
    _grow(log, 2)
    assert witness.add_checkpoint(_submission(log, 0)).status == 200
    head = _grow(log, 5)
    body = _submission(log, 2)

    for at in range(len(body)):
        changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        assert witness.add_checkpoint(changed).status != 200
    assert witness.add_checkpoint(body).status == 200
    assert witness.last(ORIGIN) == head


def test_a_damaged_record_is_no_licence_to_begin_anew(log: AuditLog, witness: Witness, tmp_path: Path):
    """Each flipped byte of what it remembers, and an emptied record, has it cosign nothing more."""
    _grow(log, 2)
    assert witness.add_checkpoint(_submission(log, 0)).status == 200
    (record,) = (path for path in (tmp_path / "witness" / "seen").iterdir() if not path.name.startswith("."))
    good = record.read_bytes()
    body = Submission(2, (), log.checkpoint()[1]).encode()
    text = good.rpartition(b"\n\n")[0]

    for bad in [b"", *(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(len(text)))]:
        record.write_bytes(bad)
        assert witness.add_checkpoint(body).status == 500
    record.write_bytes(good)
    assert witness.add_checkpoint(body).status == 200


def test_a_crash_at_any_system_call_forgets_nothing_that_was_cosigned(
    log: AuditLog, key: FileSigner, signer: FileSigner, tmp_path: Path
):
    """At each system call of a submission: the record afterwards is the old or the new one, and the witness goes on."""
    _grow(log, 2)
    first = _submission(log, 0)
    head = _grow(log, 3)
    second = _submission(log, 2)
    die_at = 0
    while True:
        die_at += 1
        folder = tmp_path / f"seen{die_at}"
        witness = Witness(folder, key, [signer.verifier], lambda: NOW)
        assert witness.add_checkpoint(first).status == 200
        with pytest.MonkeyPatch.context() as patch:
            calls = [0]
            dying(patch, calls, die_at)
            try:
                witness.add_checkpoint(second)
                break
            except Dies:
                pass
        again = Witness(folder, key, [signer.verifier], lambda: NOW)
        assert again.last(ORIGIN).size in {2, 5}
        if again.last(ORIGIN).size == 2:
            assert again.add_checkpoint(second).status == 200
        assert again.last(ORIGIN) == head
    assert die_at > 4


def test_submissions_at_once_never_roll_back(log: AuditLog, witness: Witness, key: FileSigner, signer: FileSigner):
    """Of many at once from the same old size, one is cosigned; the others hear of the size that it has seen then."""
    _grow(log, 1)
    assert witness.add_checkpoint(_submission(log, 0)).status == 200
    bodies = []
    for _ in range(8):
        _grow(log, 1)
        bodies.append(_submission(log, 1))
    others = [Witness(witness._folder, key, [signer.verifier], lambda: NOW) for _ in bodies]
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda w=w, b=b: statuses.append(w.add_checkpoint(b).status))
        for w, b in zip(others, bodies, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200] + [409] * 7


# --- the log's side --------------------------------------------------------------------------------------------------


class Network:
    """Witnesses by URL, as the client reaches them; those in `down` aren't there."""

    def __init__(self, witnesses: dict[str, Witness]) -> None:
        self.witnesses = witnesses
        self.down: set[str] = set()
        self.asked: list[str] = []

    def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        base = url.removesuffix("/add-checkpoint")
        self.asked.append(base)
        if base in self.down:
            raise Unreachable("no answer")
        answer = self.witnesses[base].add_checkpoint(body)
        return answer.status, answer.body


@pytest.fixture
def three(tmp_path: Path, signer: FileSigner) -> tuple[Network, WitnessPolicy]:
    """Three witnesses, two of which must have cosigned."""
    lines, witnesses = [], {}
    for name in ("north", "south", "east"):
        key = FileSigner.create(tmp_path / name / "key", f"{name}.example/w1")
        witnesses[f"https://{name}"] = Witness(tmp_path / name / "seen", key, [signer.verifier], lambda: NOW)
        lines.append(f"witness {name} {cosignature.cosigner(key)} https://{name}")
    text = "\n".join([*lines, "group two 2 north south east", "quorum two", ""])
    return Network(witnesses), witness_policy.parse(text.encode())


def test_a_log_is_cosigned_and_verifies(log: AuditLog, signer: FileSigner, three: tuple[Network, WitnessPolicy]):
    """All three cosign; the log verifies with their policy, also once it has grown, and says up to where."""
    network, policy = three
    reader = DirectoryFetcher(log.directory)
    _grow(log, 300)

    found = cosign(reader, signer.verifier, policy, network.post)
    keep(log.directory, found)
    _grow(log, 7)

    assert (found.met, [asked.time for asked in found.asked]) == (True, [NOW] * 3)
    verification = verify(reader, ORIGIN, [signer.verifier], policy=policy)
    assert verification.ok
    assert verification.cosigned is not None
    assert (verification.cosigned.size, verification.cosigned.witnesses) == (300, ("north", "south", "east"))
    again = cosign(reader, signer.verifier, policy, network.post)
    assert (again.met, again.checkpoint.size) == (True, 307)
    assert len(network.asked) == 6  # it remembers what they had seen, so that each is asked once


def test_a_witness_that_is_down_keeps_nothing_from_going_on(
    log: AuditLog, signer: FileSigner, three: tuple[Network, WitnessPolicy]
):
    """With one down, two are enough; with two down, the checkpoint is kept and isn't cosigned as demanded."""
    network, policy = three
    reader = DirectoryFetcher(log.directory)
    _grow(log, 3)
    network.down = {"https://south"}

    found = cosign(reader, signer.verifier, policy, network.post)
    assert (found.met, [asked.problem for asked in found.asked]) == (True, ["", "no answer", ""])
    network.down = {"https://south", "https://east"}
    found = cosign(reader, signer.verifier, policy, network.post)
    keep(log.directory, found)

    assert not found.met
    assert not any(asked.refused for asked in found.asked)
    verification = verify(reader, ORIGIN, [signer.verifier], policy=policy)
    assert [f.message for f in verification.findings] == [
        "it is cosigned by north, and the policy demands 2 of north, south, east"
    ]
    assert verify(reader, ORIGIN, [signer.verifier]).ok
    network.down = set()
    assert cosign(reader, signer.verifier, policy, network.post).met  # each at the size that it had seen


def test_a_log_that_was_rolled_back_is_noticed_by_its_witnesses(
    log: AuditLog, signer: FileSigner, three: tuple[Network, WitnessPolicy], tmp_path: Path
):
    """After a backup was restored, witnesses say that they have seen more; once it has grown, that it is another."""
    network, policy = three
    _grow(log, 3)
    shutil.copytree(log.directory, tmp_path / "backup")
    _grow(log, 4)
    assert cosign(DirectoryFetcher(log.directory), signer.verifier, policy, network.post).met
    restored = AuditLog.open(tmp_path / "backup", signer, ORIGIN)
    reader = DirectoryFetcher(restored.directory)

    older = cosign(reader, signer.verifier, policy, network.post)
    _grow(restored, 9, "other")
    forked = cosign(reader, signer.verifier, policy, network.post)

    assert all(asked.refused for asked in (*older.asked, *forked.asked))
    assert "the log went back" in older.asked[0].problem
    assert "it refuses (422)" in forked.asked[0].problem
    assert not older.met
    assert not forked.met


def _answering(answer: tuple[int, bytes], url: str, body: bytes) -> tuple[int, bytes]:
    del url, body
    return answer


def test_whatever_a_witness_answers_only_its_cosignature_counts(
    log: AuditLog, signer: FileSigner, three: tuple[Network, WitnessPolicy], tmp_path: Path
):
    """Nonsense, cosignatures by others, of other checkpoints and altered ones make no cosignature; none raises."""
    _, policy = three
    head = _grow(log, 3)
    stranger = FileSigner.create(tmp_path / "stranger", "north.example/w1")
    own = FileSigner.load(tmp_path / "north" / "key")
    other = Checkpoint(ORIGIN, 3, bytes(32))
    answers = [
        (200, b""),
        (200, b"\n"),
        (200, b"ok\n"),
        (200, b"\xff\n"),
        (200, cosignature.cosign(head.text, stranger, NOW).line.encode()),
        (200, cosignature.cosign(other.text, own, NOW).line.encode()),
        (200, cosignature.cosign(head.text, own, NOW).line.encode().replace(b" ", b"  ")),
        (200, note.sign(head.text, [own]).rpartition(b"\n\n")[2]),
        (200, b"x" * 100_000),
        (500, b"oops"),
        (409, b"nonsense"),
        (409, b"2\n"),
        (404, b""),
    ]
    for status, body in answers:
        found = cosign(DirectoryFetcher(log.directory), signer.verifier, policy, partial(_answering, (status, body)))
        assert not found.met
        assert all(asked.time is None and asked.problem for asked in found.asked)


def test_no_byte_of_a_cosigned_checkpoint_can_change(
    log: AuditLog, signer: FileSigner, three: tuple[Network, WitnessPolicy]
):
    """Where all are demanded, each flipped byte of the cosigned checkpoint is refused."""
    network, policy = three
    lines = [f"witness {w.name} {w.key} {w.url}" for w in policy.witnesses]
    everyone = witness_policy.parse("\n".join([*lines, "group g all north south east", "quorum g"]).encode())
    _grow(log, 3)
    data = cosign(DirectoryFetcher(log.directory), signer.verifier, everyone, network.post).note

    assert verify_cosigned(data, [signer.verifier], everyone)[0].size == 3
    for at in range(len(data)):
        with pytest.raises(Malformed):
            verify_cosigned(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], [signer.verifier], everyone)


def test_a_cosigned_checkpoint_of_another_history_is_a_finding(
    log: AuditLog, signer: FileSigner, three: tuple[Network, WitnessPolicy], tmp_path: Path
):
    """Beside a log that doesn't continue it, a cosigned checkpoint is a finding, with and without a policy."""
    network, policy = three
    _grow(log, 5)
    keep(log.directory, cosign(DirectoryFetcher(log.directory), signer.verifier, policy, network.post))
    forged = AuditLog.open(tmp_path / "forged", signer, ORIGIN)
    _grow(forged, 8, "forged")
    shutil.copy(log.directory / "cosigned", forged.directory / "cosigned")
    reader = DirectoryFetcher(forged.directory)

    for demanded in (None, policy):
        found = verify(reader, ORIGIN, [signer.verifier], policy=demanded)
        assert [f.message for f in found.findings] == ["the log does not continue the checkpoint of 5 entries"]


def test_a_policy_that_lists_logs_is_for_these(
    log: AuditLog, signer: FileSigner, three: tuple[Network, WitnessPolicy], tmp_path: Path
):
    """A policy's `log` lines name the keys that it is for."""
    network, policy = three
    _grow(log, 1)
    data = cosign(DirectoryFetcher(log.directory), signer.verifier, policy, network.post).note
    stranger = FileSigner.create(tmp_path / "stranger", ORIGIN).verifier
    lines = "\n".join(f"witness {w.name} {w.key}" for w in policy.witnesses)

    for keys, good in (((signer.verifier,), True), ((stranger,), False)):
        text = "\n".join([*(f"log {key}" for key in keys), lines, "quorum north"])
        listed = witness_policy.parse(text.encode())
        if good:
            assert verify_cosigned(data, [signer.verifier], listed)[0].size == 1
        else:
            with pytest.raises(Malformed, match="doesn't list the log's key"):
                verify_cosigned(data, [signer.verifier], listed)


def test_an_empty_log_can_be_cosigned(log: AuditLog, signer: FileSigner, three: tuple[Network, WitnessPolicy]):
    """A log of no entries is cosigned like any other, and grows from there."""
    network, policy = three
    reader = DirectoryFetcher(log.directory)

    assert cosign(reader, signer.verifier, policy, network.post).met
    _grow(log, 2)
    assert cosign(reader, signer.verifier, policy, network.post).met
