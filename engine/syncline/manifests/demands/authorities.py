"""Files of certificate authorities that manifests name: whether they are there, and have certificates.

A connection reads its file when it is made, which may be weeks after it was declared: an alert that can't be sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from syncline.model.diagnostic import Diagnostic
from syncline.model.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from syncline.manifests.desired import Desired

#: Where the spec of a manifest of these kinds may name such a file. Kinds of which nothing is declared aren't imported.
_PLACES: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "Connector": (("http", "tls"),),
    "Integration": (("tls",), ("proxy", "tls")),
    "Source": (("tls",),),
    "Subscription": (("do", "webhook", "tls"),),
}


def check_authorities(root: Path, desired: Desired) -> Iterator[Diagnostic]:
    """A finding (SYN921) for each place that names a file below `root` by which nothing could be connected to."""
    known: dict[str, str] = {}
    for manifest in desired.objects.values():
        for path in _PLACES.get(manifest.key.kind, ()):
            if not (name := _named(manifest.spec, path)):
                continue
            if name not in known:
                known[name] = _wrong(root, name)
            if known[name]:
                yield Diagnostic(
                    "SYN921",
                    known[name],
                    manifest.place_of("spec", *path, "ca"),
                    subject=str(manifest.key),
                    expected="a file of the repository with certificates in PEM form",
                    help="Commit the authority's certificate, -----BEGIN CERTIFICATE-----, and name its path from the "
                    "repository's root.",
                )


def _named(spec: Any, path: tuple[str, ...]) -> str:
    for name in path:
        spec = getattr(spec, name, None)  # a connector without HTTP has a shorter one
        if spec is None:
            return ""
    return str(spec.ca)


def _wrong(root: Path, name: str) -> str:
    """Why a file can't be used; '' where it can."""
    from syncline.sdk.http.authorities import inside, read_authorities
    from syncline.sdk.http.tls import Tls, context_of

    try:
        text = read_authorities(root, name, "tls.ca")
    except Invalid as error:
        if inside(root, name) is None:
            return f"{name!r} means no file inside the repository"
        there = isinstance(error.__cause__, PermissionError)
        return f"{name!r} can't be read" if there else f"there is no file {name!r}"
    try:
        context_of(Tls(ca=text or " "))
    except Invalid:
        return f"{name!r} has no certificate in PEM form"
    return ""
