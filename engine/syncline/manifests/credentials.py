"""Credentials that were written where a reference belongs. What it finds is shown in no message and no excerpt.

Two signs: the form of a value (a token's prefix, a private key, a URL with a password), anywhere in a manifest; and a
literal under a name such as `password`, or behind it in a URL's query, in a spec. It isn't a scanner of entropy: a
digest or an id is no finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from syncline.manifests.node import Node, walk
from syncline.model.manifest import Path

FORMS: Final = {
    "a private key": r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----",
    "an age identity": r"AGE-SECRET-KEY-1[0-9A-Z]{20,}",
    "a GitHub token": r"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}",
    "a GitLab token": r"glpat-[A-Za-z0-9_-]{16,}",
    "a Slack token": r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
    "a Stripe key": r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",
    "an AWS access key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a Google API key": r"\bAIza[A-Za-z0-9_-]{35}",
    "an npm token": r"npm_[A-Za-z0-9]{30,}",
    "a SendGrid key": r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "a JSON Web Token": r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    "a Vault token": r"\bhv[sb]\.[A-Za-z0-9_-]{24,}",
    "a Slack webhook": r"hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{16,}",
    "a PyPI token": r"pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{40,}",
    "an Azure storage key": r"AccountKey=[A-Za-z0-9+/]{86}==",
    "a HubSpot token": r"\bpat-(?:na|eu)[0-9]-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
    "a Shopify token": r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b",
    "an Atlassian token": r"\bATATT3[A-Za-z0-9_=-]{60,}",
    "a DigitalOcean token": r"\bdo[opr]_v1_[0-9a-f]{64}\b",
    "a Databricks token": r"\bdapi[0-9a-f]{32}\b",
    "a Linear key": r"\blin_api_[A-Za-z0-9]{40}\b",
    # No quotes: in a document of JSON, `http://host:80","connector":"crm@^1` has none.
    "a URL with a password": r"[a-z][a-z0-9+.-]*://[^/?#\s:@\"]*:[^/?#\s@{\"]+@",
}
_ANY_FORM = re.compile("|".join(FORMS.values()))
_NAME = re.compile(
    r"(?i)(?:^|[a-z0-9_.-])?(?:password|passwd|passphrase|secret|token|api[-_]?key|private[-_]?key|access[-_]?key|authorization)$"
)
#: A parameter of a query, as in `export?token=…`: names of files are kept in positions, and URLs are shown.
_PARAMETER = re.compile(r"[?&]([\w.-]+)=[^&#\s]{4,}")
#: A text that holds none of these has no form. Finding substrings takes a twentieth of the expressions' time.
FORM_HINTS: Final = (
    "-----BEGIN", "AGE-SECRET-KEY", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "sk_",
    "rk_", "AKIA", "ASIA", "AIza", "npm_", "SG.", "eyJ", "://", "\\", "hvs.",
    "hvb.", "hooks.slack", "pypi-", "AccountKey", "pat-", "shp", "ATATT3", "_v1_", "dapi", "lin_api_",
)  # fmt: skip
_NAME_HINTS: Final = ("passw", "passphrase", "secret", "token", "key", "authorization")
_KEY_ALONE = re.compile(r"(?<![-_a-z])key\b|secretref|keys\b")

# `password: value` in text that could not be parsed; a value in brackets is a reference, or shown with its own name.
_ASSIGNED = re.compile(
    r"(?i)((?:pass(?:word|wd|phrase)|secret|token|(?:api|private|access)[-_]?key|authorization)[\"']?\s*:\s*)"
    r"(\"[^\"]*\"?|'[^']*'?|[^\s{\[,|>&*#\"'][^,}]*)"
)


def scrub(line: str) -> str:
    """A line of a file with what looks like a credential replaced by as many asterisks, so that columns stay."""
    line = _ANY_FORM.sub(lambda found: "*" * len(found[0]), line)
    return _ASSIGNED.sub(lambda found: found[0] if "{{" in found[2] else found[1] + "*" * len(found[2]), line)


def form_of(text: str) -> str:
    """Which credential's form something in a text has, in words; '' for none."""
    if not any(hint in text for hint in FORM_HINTS) or not _ANY_FORM.search(text):
        return ""
    return next(what for what, form in _forms().items() if form.search(text))


def form_at(text: str) -> tuple[str, int, int] | None:
    """Which credential's form something in a text has, in words, and from where to where; None for none."""
    if not any(hint in text for hint in FORM_HINTS) or not _ANY_FORM.search(text):
        return None
    for what, form in _forms().items():
        if found := form.search(text):
            return what, found.start(), found.end()
    return None


@cache
def _forms() -> dict[str, re.Pattern[str]]:
    """Each form by itself. What has none, as nearly every text, doesn't wait until all are compiled."""
    return {what: re.compile(form) for what, form in FORMS.items()}


def names_one(name: str) -> bool:
    """Whether what has this name is a credential, as `api_token` is."""
    return _NAME.search(name) is not None


def find(root: Node, content: str) -> Iterator[tuple[Path, str]]:
    """Paths of literals that look like credentials, with what each looks like. `content` is the file's text."""
    if not any(hint in content for hint in FORM_HINTS) and not _may_name_one(content.casefold()):
        return
    for path, node in walk(root):
        if isinstance(node.data, str) and (what := _looks_like(path, node.data)):
            yield path, what


def _may_name_one(content: str) -> bool:
    if not any(hint in content for hint in _NAME_HINTS):
        return False
    # `key: [id]` is in every mapping, and no credential.
    rest = _KEY_ALONE.sub("", content)
    return any(hint in rest for hint in _NAME_HINTS)


def _looks_like(path: Path, value: str) -> str:
    if form := form_of(value):
        return form
    name = path[-1] if path else ""
    if path[:1] != ("spec",) or "{{" in value or len(value) < 4:
        return ""
    # A mapping's tests hold sample records; a reference's own fields name a secret without being it; a lookup is data.
    if path[1:2] == ("tests",) or "secretRef" in path or "lookup" in path or path[-2:] == ("properties", name):
        return ""
    for parameter in _PARAMETER.findall(value):
        if names_one(parameter):
            return f"the parameter {parameter!r} of a query"
    if path[-2:] == ("take", name):  # where a login's answer has it
        return ""
    return f"the value of {name!r}" if isinstance(name, str) and names_one(name) else ""
