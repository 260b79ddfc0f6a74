"""Findings in every format that `validate` can write, by the format's name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from syncline.cli.output.excerpt import Sources
from syncline.cli.output.paint import Paint
from syncline.model.diagnostic import Diagnostic, Place

Format = Literal["text", "concise", "json", "github", "sarif", "junit", "gitlab", "markdown"]
FORMATS: tuple[Format, ...] = get_args(Format)


class Report(Struct, frozen=True):
    """What a check found: the files that were read, how many objects they declare, and the findings in order."""

    files: Sequence[str]
    objects: int
    findings: Sequence[Diagnostic]


def relocate(findings: Sequence[Diagnostic], prefix: str) -> tuple[Diagnostic, ...]:
    """The findings with files named from another folder, so that editors and code hosts find them."""
    if prefix in {"", "."}:
        return tuple(findings)

    def moved(place: Place) -> Place:
        return replace(place, file=str(PurePosixPath(prefix) / place.file))

    return tuple(
        replace(
            found,
            place=moved(found.place) if found.place else None,
            related=tuple(replace(related, place=moved(related.place)) for related in found.related),
        )
        for found in findings
    )


def render(report: Report, form: Format, *, sources: Sources, paint: Paint, limit: int = 120) -> str:
    """The report in a format. Modules of formats that aren't asked for are not imported."""
    match form:
        case "text" | "concise":
            from syncline.cli.output import findings_text as text

            summary = text.summary(report.findings, len(report.files), report.objects, paint) + "\n"
            if form == "concise":
                return text.render_concise(report.findings, paint) + summary
            return text.render_text(report.findings, sources, paint, limit=limit) + summary
        case "json":
            from syncline.cli.output.findings_json import render_json

            return render_json(report.findings, report.files)
        case "github":
            from syncline.cli.output.findings_github import render_github

            return render_github(report.findings)
        case "sarif":
            from syncline.cli.output.findings_sarif import render_sarif

            return render_sarif(report.findings, sources)
        case "junit":
            from syncline.cli.output.findings_junit import render_junit

            return render_junit(report.findings, report.files)
        case "gitlab":
            from syncline.cli.output.findings_gitlab import render_gitlab

            return render_gitlab(report.findings)
        case "markdown":
            from syncline.cli.output.findings_markdown import render_markdown

            return render_markdown(report.findings, len(report.files), sources)
