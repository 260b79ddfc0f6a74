"""Evidence of a framework over a span of time, in one zip: what outsiders verify with the one script in it.

In it are the log with its proofs, attestations of the newest runs, the map of controls, OSCAL assessment results and a
page for people. `evidence.dsse.json` names every file with its digest, and is signed by the log's key.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from syncline.audit import attestation, dsse
from syncline.audit.attestation import STATEMENT
from syncline.audit.export import files_of, head_of, write_zip
from syncline.audit.fetch import DirectoryFetcher
from syncline.audit.log_signer import load_signer
from syncline.audit.verify import verify
from syncline.evidence import attesting, oscal
from syncline.evidence.collect import Report, collect
from syncline.executor.services.facilities import open_facilities
from syncline.executor.services.witnessing import read_policy
from syncline.model.event import Action, rfc3339

if TYPE_CHECKING:
    from syncline.audit.checkpoint import Checkpoint
    from syncline.audit.note import Signer
    from syncline.evidence.collect import Span
    from syncline.evidence.framework import Framework
    from syncline.settings import Settings

PREDICATE: Final = "urn:syncline:attestation:evidence:v1"

_README: Final = """\
Evidence for {title}
from {first} to {last}, of the audit log {origin}

Verify it on any machine with Python 3.9 or later:

    pip install cryptography
    python verify.py --key '...'

with the log's public key as you were given it by another way than this pack. It checks that every file is the one that
was signed, the whole log, each proof, each attestation, and the cosignatures of witnesses.

  report.html          what the log shows of each control, for people
  controls.json        the controls: who answers for each, what is done, what shows it
  oscal/               the same as NIST OSCAL assessment results
  entries.jsonl        the entries of the log, one a line: OCSF events as canonical JSON (RFC 8785)
  proofs/              for the entries that are samples, a proof that stands alone (C2SP tlog-proof)
  attestations/        what the newest runs did: in-toto statements in Sigstore bundles
  checkpoint, tile/    the log, signed (C2SP tlog-checkpoint, tlog-tiles)
  cosigned             the newest checkpoint that witnesses cosigned, where there is one
  evidence.dsse.json   every file here with its digest, signed (DSSE, in-toto Statement)

What it shows: what the log was told, unchanged since. What it does not show: what the log was never told, and what is
the operator's or the organisation's to do, which the report marks.
"""


class Pack(Struct, frozen=True):
    """A pack as a zip, and what it says."""

    report: Report
    data: bytes


def make_pack(settings: Settings, framework: Framework, span: Span, render: Callable[[Report], str]) -> Pack:
    """
    Makes a pack of the log as it is now; `render` writes its page. The log notes that it was made, before it is copied.

    A log that doesn't verify is packed all the same, and the report says so: evidence of damage is evidence.
    """
    key, fetcher = load_signer(settings), DirectoryFetcher(settings.audit)
    attestations = _attested(settings, framework, span)
    head = head_of(fetcher)
    report = _report(settings, key, head, framework, span)
    policy = settings.witnesses.read_bytes() if read_policy(settings) is not None else None
    members = dict(files_of(fetcher, key.verifier, head, report.samples, policy))
    members |= {f"attestations/{run}.sigstore.json": data for run, data in attestations.items()}
    members |= dict(_documents(report, render))
    members["evidence.dsse.json"] = _signed(report, key, members)
    out = io.BytesIO()
    write_zip(out, sorted(members.items()))
    return Pack(report, out.getvalue())


def _attested(settings: Settings, framework: Framework, span: Span) -> dict[str, bytes]:
    """Attestations of the newest runs in the span; then the log notes that evidence is taken."""
    fetcher = DirectoryFetcher(settings.audit)
    runs = collect(fetcher, head_of(fetcher).size, framework, span).runs
    with open_facilities(settings) as facilities:
        records = [record for run in runs if (record := facilities.store.run(run)) is not None]
    made = attesting.attest_each(settings, records)
    with open_facilities(settings) as facilities:
        what = f"evidence {framework.name} {span.first} to {span.last}"
        facilities.recorder.record([facilities.recorder.event(Action.audit_export, what=what)])
    return {record.id: bundle for record, (_, bundle) in zip(records, made, strict=True)}


def _report(settings: Settings, key: Signer, head: Checkpoint, framework: Framework, span: Span) -> Report:
    fetcher, name = DirectoryFetcher(settings.audit), key.verifier.name
    found = collect(fetcher, head.size, framework, span)
    return Report(
        framework,
        span,
        rfc3339(),
        name,
        str(key.verifier),
        head.size,
        head.root,
        verify(fetcher, name, [key.verifier], policy=read_policy(settings)),
        found.shown,
        found.totals,
        found.runs,
    )


def _documents(report: Report, render: Callable[[Report], str]) -> Iterator[tuple[str, bytes]]:
    span, framework = report.span, report.framework
    readme = _README.format(title=framework.title, first=span.first, last=span.last, origin=report.origin)
    yield "README.txt", readme.encode()
    yield "report.html", render(report).encode()
    yield "controls.json", _json(control_map(report))
    yield "oscal/assessment-results.json", _json(oscal.assessment_results(report))


def control_map(report: Report) -> dict[str, Any]:
    """The controls as plain data: who answers for each, what is done, and what shows it."""
    return {
        "version": "syncline/controls/v1",
        "framework": report.framework.name,
        "title": report.framework.title,
        "from": str(report.span.first),
        "to": str(report.span.last),
        "controls": [
            {
                "id": shown.control.id,
                "title": shown.control.title,
                "responsibility": str(shown.control.responsibility),
                "does": shown.control.does,
                "actions": [str(action) for action in shown.control.actions],
                "rules": {rule: shown.rules[rule] for rule in shown.control.rules},
                "events": dict(sorted(shown.outcomes.items())),
                "samples": [sample.index for sample in shown.samples],
            }
            for shown in report.shown
        ],
    }


def _signed(report: Report, key: Signer, members: dict[str, bytes]) -> bytes:
    statement = {
        "_type": STATEMENT,
        "subject": [
            {"name": name, "digest": {"sha256": hashlib.sha256(data).hexdigest()}}
            for name, data in sorted(members.items())
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "framework": report.framework.name,
            "from": str(report.span.first),
            "to": str(report.span.last),
            "made": report.made,
            "verified": report.verification.ok,
            "checkpoint": {"origin": report.origin, "size": report.size, "root": report.root.hex()},
        },
    }
    return dsse.sign(attestation.PAYLOAD, attestation.encode(statement), key).encode()


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
