"""Findings as SARIF 2.1.0 (OASIS), for code scanning and for editors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from syncline import __version__
from syncline.cli.output.excerpt import Sources
from syncline.cli.output.jsontext import to_json
from syncline.manifests.replacement import replacement
from syncline.model.codes import CODES
from syncline.model.diagnostic import Diagnostic, Place, Related, Severity

_LEVEL = {Severity.error: "error", Severity.warning: "warning", Severity.note: "note"}
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def _rule(name: str) -> dict[str, Any]:
    code = CODES.get(name)
    if code is None:
        return {"id": name}
    examples = "".join(
        f"\n\n{title}:\n\n```yaml\n{text.rstrip()}\n```"
        for title, text in (("Instead of", code.bad), ("Write", code.good))
        if text
    )
    return {
        "id": name,
        "name": "".join(word.capitalize() for word in code.title.replace("'", "").split()),
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": code.meaning},
        "help": {"text": code.remedy, "markdown": f"{code.meaning}\n\n{code.remedy}{examples}"},
    }


def _region(place: Place, excerpt: str = "") -> dict[str, Any]:
    region: dict[str, Any] = {"startLine": place.line, "startColumn": place.column}
    if place.end_line >= place.line and place.end_column:
        region |= {"endLine": place.end_line, "endColumn": place.end_column}
    if excerpt:
        region["snippet"] = {"text": excerpt}
    return region


def _artifact(place: Place) -> dict[str, Any]:
    return {"uri": quote(place.file)}


def _location(place: Place, excerpt: str = "") -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": _artifact(place), "region": _region(place, excerpt)}}


def _related(index: int, related: Related) -> dict[str, Any]:
    return {"id": index, "message": {"text": related.message}, **_location(related.place)}


def _message(found: Diagnostic) -> str:
    parts = [found.message]
    if found.expected:
        parts.append(f"Expected: {found.expected}")
    if found.help:
        parts.append(found.help)
    return "\n".join(parts)


def _fix(place: Place, instead: str) -> dict[str, Any]:
    change = {"deletedRegion": _region(place), "insertedContent": {"text": instead}}
    return {
        "description": {"text": f"Replace by {instead}"},
        "artifactChanges": [{"artifactLocation": _artifact(place), "replacements": [change]}],
    }


def _instead(found: Diagnostic, sources: Sources) -> str:
    """What can be written over what is at the finding's place; '' where nothing can."""
    place = found.place
    if place is None or not found.suggestion or not place.end_column or place.end_line != place.line:
        return ""
    line = found.excerpt or sources.line(place)
    return replacement(line[place.column - 1 : place.end_column - 1], found.suggestion)


def _result(found: Diagnostic, index: int, sources: Sources) -> dict[str, Any]:
    file = found.place.file if found.place else ""
    # Stays the same when lines are added above, so that a finding keeps its history.
    identity = json.dumps([found.code, file, found.subject, found.message])
    result: dict[str, Any] = {
        "ruleId": found.code,
        "ruleIndex": index,
        "level": _LEVEL[found.severity],
        "message": {"text": _message(found)},
        "partialFingerprints": {"syncline/v1": hashlib.sha256(identity.encode()).hexdigest()},
    }
    if found.place is not None:
        result["locations"] = [_location(found.place, found.excerpt)]
        if instead := _instead(found, sources):
            result["fixes"] = [_fix(found.place, instead)]
    if found.related:
        result["relatedLocations"] = [_related(i, related) for i, related in enumerate(found.related)]
    return result


def render_sarif(findings: Sequence[Diagnostic], sources: Sources) -> str:
    """A log with one run: the rules that were broken, and a result for each finding."""
    names = sorted({d.code for d in findings})
    driver = {"name": "Syncline", "version": __version__, "rules": [_rule(name) for name in names]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(d, names.index(d.code), sources) for d in findings],
    }
    return to_json({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})
