"""Our bundles are accepted by Sigstore's own verifier for JavaScript, with our log as the transparency log."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from syncline import workflow
from syncline.audit import sigstore
from syncline.audit.signer import FileSigner
from syncline.executor.progress import Silent
from tests.e2e.house import FLOW, Scenario, build, customers
from tests.peers.install import node_modules, program

if TYPE_CHECKING:
    from syncline.settings import Settings

SCRIPT = Path(__file__).parent / "sigstore.mjs"
PACKAGES = ("@sigstore/verify@3.1.1", "@sigstore/bundle@4.0.0", "@sigstore/protobuf-specs@0.5.2")


@pytest.fixture(scope="module")
def modules() -> Path:
    """The packages of Sigstore, from npm."""
    return node_modules("sigstore", *PACKAGES)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("sigstore")
    customers(root, 50)
    settings = build(root, Scenario("upsert").texts)
    workflow.apply(settings)
    for _ in range(40):  # the tree has several levels then, and the entry isn't its last
        workflow.run(settings, FLOW, progress=Silent())
    return settings


def _verified(modules: Path, folder: Path, bundle: bytes, signer: FileSigner) -> str:
    (folder / "bundle.json").write_bytes(bundle)
    (folder / "root.json").write_text(json.dumps(sigstore.trusted_root(signer.verifier)))
    (folder / "log.pem").write_bytes(sigstore.pem(signer.verifier))
    files = [str(folder / name) for name in ("bundle.json", "root.json", "log.pem")]
    command = [program("node"), str(SCRIPT), str(modules), *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout.strip() or done.stderr[-500:]


def test_sigstore_verifies_our_bundles(modules, house, tmp_path):
    """Signature, entry, inclusion and checkpoint are accepted, of each of several runs."""
    signer = FileSigner.load(house.keys / "audit.pem")
    for record in workflow.runs(house, FLOW, 40)[::13]:
        assert _verified(modules, tmp_path, workflow.attest(house, record), signer) == "OK"


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ("payload", "TLOG_BODY_ERROR"),
        ("signature", "TLOG_BODY_ERROR"),
        ("entry", "TLOG_INCLUSION_PROOF_ERROR"),
        ("proof", "TLOG_INCLUSION_PROOF_ERROR"),
        ("checkpoint", "TLOG_INCLUSION_PROOF_ERROR"),
        ("key", "TLOG_INCLUSION_PROOF_ERROR"),
    ],
)
def test_sigstore_refuses_altered_ones(modules, house, tmp_path, part, error):
    """What was altered is refused by Sigstore's verifier, in the part where it was."""
    signer = FileSigner.load(house.keys / "audit.pem")
    bundle = json.loads(workflow.attest(house, workflow.runs(house, FLOW, 1)[0]))
    envelope, (entry,) = bundle["dsseEnvelope"], bundle["verificationMaterial"]["tlogEntries"]
    match part:
        case "payload":
            envelope["payload"] = envelope["payload"][:-8] + "AAAAAAAA"
        case "signature":
            envelope["signatures"][0]["sig"] = "A" * 86 + "=="
        case "entry":
            entry["canonicalizedBody"] = entry["canonicalizedBody"][:-8] + "AAAAAAAA"
        case "proof":
            entry["inclusionProof"]["hashes"][0] = "A" * 43 + "="
        case "checkpoint":
            proof = entry["inclusionProof"]
            proof["checkpoint"]["envelope"] = proof["checkpoint"]["envelope"].replace("\n", "\n1", 1)
        case _:
            signer = FileSigner.create(tmp_path / "other", signer.verifier.name)
    assert _verified(modules, tmp_path, json.dumps(bundle).encode(), signer).startswith(error)
