"""
Test vectors that others publish: each folder is read by tests, case by case, or stands here with the reason why none is.

How many files and cases each has is written down, so that one that is added is noticed before anybody believes that it
was run: the test that runs the folder takes whatever is there, or has a list of its own that must have all.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ENGINE = TESTS.parent / "engine"


@dataclass(frozen=True)
class Run:
    """A folder that tests run: how many files it has by the folder below it, which test, and what is done with them."""

    files: dict[str, int]
    test: str
    how: str


RUN = {
    "merkle-proofs": Run(
        {"inclusion": 98, "consistency": 98, "subtreeinclusion": 204, "subtreeconsistency": 118},
        "unit/audit/test_tree.py",
        "each proof is accepted or refused as its file says",
    ),
    "ed25519-cctv": Run({"ed25519": 1}, "unit/audit/test_note.py", "each of the 914 cases, whose number it asserts"),
    "jcs-rfc8785": Run(
        {"input": 6, "output": 6, "outhex": 6}, "unit/audit/test_canonical_json.py", "each input, and each output again"
    ),
    "jose-cookbook": Run(
        {"": 2, "jws": 8, "jwk": 6, "jwe": 13, "curve25519": 2, "rfc7797": 2},
        "unit/sdk/auth/test_keys.py",
        "each file by a table: signed and verified byte for byte, a key that is taken, or one that is refused, since "
        "nothing is encrypted as JWE; package.json is the collection's own",
    ),
    "http-sig-rfc9421": Run(
        {"": 1}, "unit/sdk/auth/test_http_signature.py", "each of the 6 cases, by a table that must have all"
    ),
    "age-testkit": Run({"testdata": 143}, "unit/secrets/test_age.py", "each file gets its verdict"),
    "age-cli-testdata": Run(
        {"testdata": 18}, "unit/secrets/test_age.py", "each script by a table; what is about a terminal isn't ours"
    ),
    "sops": Run(
        {"": 2, "generated": 6, "res": 11},
        "unit/secrets/test_sops.py",
        "each file of the functional tests by a table, the generated ones both ways; README.rst is text",
    ),
    "ocsf": Run(
        {"": 3, "events": 1, "application": 9, "discovery": 25, "findings": 9, "iam": 9, "network": 15,
         "remediation": 4, "system": 13, "unmanned_systems": 3, "objects": 190, "profiles": 13},
        "unit/model/test_event.py",
        "a schema, not vectors: classes, objects and attributes are looked up in it, for each action that is logged",
    ),
}  # fmt: skip

#: Folders for things that the program doesn't do: how many files, why they don't apply, and a word that its code would
#: have if they did.
NOT_DONE = {
    "openlineage": (98, "events of lineage aren't emitted: lineage is printed, and proved by the log", "openlineage"),
    "oprf-rfc9497": (1, "nothing is compared with a party that mustn't see it", "oprf"),
    "sd-jwt": (
        141,
        "no credential is issued or verified: evidence is signed notes and DSSE, disclosed whole",
        "sd-jwt",
    ),
    "sd-jwt-vc": (4, "as sd-jwt", "sd-jwt"),
    "vc-data-model": (7, "no Verifiable Credential is issued or verified", "verifiablecredential"),
    "vc-di-bbs": (104, "as vc-data-model; there is no Data Integrity proof", "dataintegrityproof"),
    "vc-di-ecdsa": (104, "as vc-di-bbs", "dataintegrityproof"),
    "vc-di-eddsa": (55, "as vc-di-bbs", "dataintegrityproof"),
    "bbs-signature": (61, "signatures are Ed25519 and ECDSA on P-256; nothing is disclosed in part", "bls12"),
    "bitstring-status-list": (2, "there are no credentials whose revocation could be looked up", "statuslist"),
    "token-status-list": (1, "as bitstring-status-list", "status_list"),
}

#: The vector of Standard Webhooks, which its specification prints: its secret.
STANDARD_WEBHOOKS = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def _text(folder: Path) -> str:
    """All Python in a folder, but for this file."""
    return "".join(path.read_text() for path in folder.rglob("*.py") if path != Path(__file__))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_every_folder_is_run_or_says_why_not(shared: Path):
    """There is no folder of vectors that neither table has, and none of a table that isn't there."""
    folders = {path.name for path in (shared / "vectors").iterdir() if path.is_dir()}

    assert folders == RUN.keys() | NOT_DONE.keys()
    assert not RUN.keys() & NOT_DONE.keys()


@pytest.mark.parametrize("name", RUN)
def test_no_file_is_unread(shared: Path, name: str):
    """A folder that is run has just the files that were counted, and the test that is named reads it."""
    run, folder = RUN[name], shared / "vectors" / name
    found = Counter("" if path.parent == folder else path.parent.name for path in _files(folder))
    if name == "merkle-proofs":  # a folder a case below each kind
        found = Counter(path.relative_to(folder / "testdata").parts[0] for path in _files(folder))

    assert dict(found) == run.files
    assert re.search(rf'vectors/{name}["/]', (TESTS / run.test).read_text())


@pytest.mark.parametrize("name", NOT_DONE)
def test_what_is_not_done_is_not_in_the_code(shared: Path, name: str):
    """Where the program has no word of a thing, there is nothing that its vectors could prove."""
    files, _, word = NOT_DONE[name]

    assert len(_files(shared / "vectors" / name)) == files
    assert word not in _text(ENGINE).lower()


def test_cases_inside_files_are_counted(shared: Path):
    """Files that hold many cases hold as many as were run when this was written."""
    folder = shared / "vectors"

    assert len(json.loads((folder / "ed25519-cctv/ed25519/ed25519vectors.json").read_text())) == 914
    assert len(json.loads((folder / "http-sig-rfc9421/vectors.json").read_text())["cases"]) == 6


def test_the_vector_of_standard_webhooks_is_run(shared: Path):
    """It stands in the text beside the folders, and is run for what is sent and for what is received."""
    assert STANDARD_WEBHOOKS in (shared / "vectors/README.md").read_text()
    for test in ("unit/notify/test_webhook.py", "unit/daemon/test_webhook.py"):
        assert STANDARD_WEBHOOKS in (TESTS / test).read_text()
