"""What a field, a kind or a code means, as `syncline explain` has it, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from syncline.editor.cursor import Spot
from syncline.manifests.explain import Explanation, explain_code, explain_path
from syncline.model.codes.code import Code
from syncline.model.diagnostic import Diagnostic
from syncline.model.errors import Invalid

_CODE: Final = re.compile(r"\bSYN\d{3}\b")
#: Steps into maps, whose names are the writer's own, can't be told from fields' by their form if they are like this.
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def of_spot(spot: Spot) -> str:
    """About a field, or about the field that a value belongs to; '' about what there is nothing to say of."""
    if spot.path == ("kind",) and not spot.on_key:
        return _explained(spot.kind)
    if not spot.kind or spot.path[:1] not in {("spec",), ("metadata",)}:
        return ""
    steps = [step if isinstance(step, str) and _NAME.fullmatch(step) else "*" for step in spot.path]
    return _explained(".".join([spot.kind, *steps]))


def of_findings(findings: Iterable[Diagnostic], line: str) -> str:
    """About the codes of findings, and those that a line of the text names, each once."""
    codes = dict.fromkeys([*(finding.code for finding in findings), *_CODE.findall(line)])
    return "\n\n".join(filter(None, map(_code, codes)))


def _explained(path: str) -> str:
    try:
        return _explanation(explain_path(path))
    except Invalid:
        return ""


def _code(code: str) -> str:
    try:
        found: Code = explain_code(code)
    except Invalid:
        return ""
    parts = [f"**{found.code}** {found.title}", found.meaning, f"**What to do.** {found.remedy}"]
    parts += [
        f"{title}:\n\n{_yaml(text)}" for title, text in (("Instead of", found.bad), ("Write", found.good)) if text
    ]
    return "\n\n".join(parts)


def _explanation(found: Explanation) -> str:
    kind = f"{found.type}, required" if found.required else found.type
    parts = [f"**{found.path}** {kind}"]
    texts = dict.fromkeys(text for text in (found.title, found.description, found.form) if text)
    texts.pop(found.path.rpartition(".")[2], None)
    parts += texts
    if found.values and ", ".join(found.values) not in found.type:
        parts.append(f"One of {', '.join(found.values)}.")
    if found.default:
        parts.append(f"Default: `{found.default}`")
    if found.fields:
        parts.append("\n".join(f"- `{line.name}` {line.description or line.type}" for line in found.fields))
    if found.example:
        parts.append(_yaml(found.example))
    return "\n\n".join(parts)


def _yaml(text: str) -> str:
    return f"```yaml\n{text.rstrip()}\n```"
