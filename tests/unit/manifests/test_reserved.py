"""Paths that manifests may not name: Git's folder and Syncline's own."""

from __future__ import annotations

import pytest

from syncline.manifests.load import load_text
from syncline.manifests.resolve import resolve

TENANT = "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {}\n"
HEAD = "apiVersion: syncline/v1\nkind: {}\nmetadata: {{name: x, tenant: acme}}\nspec: {}\n"


def codes(kind: str, spec: str, *more: str) -> list[tuple[str, str]]:
    """Code and place of every finding about one manifest."""
    loaded = [load_text(text, f"{n}.yaml") for n, text in enumerate((HEAD.format(kind, spec), TENANT, *more))]
    found = resolve([m for result in loaded for m in result.manifests]).diagnostics
    return [(d.code, str(d.place)) for d in (*(d for result in loaded for d in result.diagnostics), *found)]


@pytest.mark.parametrize(
    "spec",
    [
        "{connector: file, config: {root: .syncline/keys}}",
        "{connector: file, config: {root: ./data/../.git}}",
        "{connector: file, config: {root: .Git/hooks}}",
        "{connector: file, streams: {keys: {files: '.syncline/keys/*.pem'}}}",
        "{connector: sqlite, config: {path: .syncline/state.db}}",
        "{connector: sqlite, config: {path: 'C:\\.syncline\\state.db'}}",
    ],
)
def test_an_integration_in_a_reserved_folder_is_refused(spec: str) -> None:
    """Neither a root, nor a pattern, nor a database may be in Git's folder or Syncline's own, in any spelling."""
    assert [code for code, _ in codes("Integration", spec)] == ["SYN218"]


def test_a_connectors_default_is_a_path_too() -> None:
    """A connector of one's own can't bring the path in by its default."""
    connector = (
        "apiVersion: syncline/v1\nkind: Connector\nmetadata: {name: own}\n"
        "spec: {version: 1.0.0, runtime: sql, config: {properties: {path: {default: .syncline/state.db}}}}\n"
    )

    assert [code for code, _ in codes("Integration", "{connector: own}", connector)] == ["SYN218"]


@pytest.mark.parametrize("provider", ["file", "sops"])
def test_a_secret_in_a_reserved_folder_is_refused(provider: str) -> None:
    """A reference can't read Syncline's own keys; the finding points at the reference's key."""
    auth = f"{{type: bearer, token: {{secretRef: {{provider: {provider}, key: .syncline/keys/audit.yaml}}}}}}"

    assert codes("AuthConfig", auth) == [("SYN218", "0.yaml:4:63")]


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Integration", "{connector: file, config: {root: data.git/.github}}"),
        ("Integration", "{connector: sqlite, config: {path: syncline/warehouse.db}}"),
        ("AuthConfig", "{type: bearer, token: {secretRef: {provider: env, key: .git}}}"),
    ],
)
def test_other_names_are_free(kind: str, spec: str) -> None:
    """Only whole names of folders are reserved, and only where something is a path."""
    assert codes(kind, spec) == []
