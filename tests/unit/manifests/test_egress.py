"""Databases that a tenant's egress doesn't name are told by validation."""

from __future__ import annotations

import pytest

from syncline.executor.flows.instance import network_of
from syncline.manifests.demands.egress import check_egress
from syncline.settings import read_settings
from tests.repository import CUSTOMERS, desired, edited

SQLITE = "connector: sqlite@^1, region: eu-west, config: {path: warehouse.db}"


def told(egress: str, url: str) -> list[tuple[str, str]]:
    """Severity and object of each finding about a warehouse at a URL, of a tenant with some egress."""
    database = f"connector: {url.partition(':')[0]}@^1, region: eu-west, config: {{url: '{url}'}}"
    texts = edited("files.yaml", SQLITE, database, CUSTOMERS)
    (name,) = (name for name, text in texts.items() if "kind: Tenant" in text)
    texts = {**texts, name: texts[name].replace("spec:\n", f"spec:\n  {egress}\n", 1)}
    return [(str(found.severity), found.subject) for found in check_egress(desired(texts))]


WARNED, DENIED = [("warning", "acme/Integration/warehouse")], [("error", "acme/Integration/warehouse")]


@pytest.mark.parametrize(
    ("egress", "url", "found"),
    [
        ("", "postgresql://10.0.0.7/lake", []),
        ("egress: {private: [127.0.0.1]}", "postgresql://127.0.0.1:5433/lake", []),
        ("egress: {private: [127.0.0.1]}", "postgresql://localhost/lake", []),
        ("egress: {private: [127.0.0.1]}", "mariadb://127.0.0.1/lake", []),
        ("egress: {private: [127.0.0.1]}", "postgresql://10.0.0.7/lake", WARNED),
        ("egress: {private: [127.0.0.1]}", "postgresql://127.0.0.1,10.0.0.7/lake", WARNED),
        ("egress: {private: [127.0.0.1]}", "postgresql://db.example.com/lake", []),
        ("egress: {allow: [api.vendor.example]}", "postgresql://db.example.com/lake", WARNED),
        ("egress: {allow: [api.vendor.example]}", "mariadb://db.example.com/lake", WARNED),
        ("egress: {allow: [api.vendor.example]}", "postgresql:///lake", WARNED),
        ("egress: {allow: [api.vendor.example, 10.0.0.0/8]}", "postgresql://db.example.com/lake", []),
        ("egress: {allow: ['*.example.com']}", "postgresql://db.example.com/lake", []),
        ("egress: {deny: ['*.example.com']}", "postgresql://db.example.com/lake", DENIED),
        ("egress: {private: [10.0.0.0/8], deny: [10.0.0.7]}", "mariadb://10.0.0.7/lake", DENIED),
    ],
)
def test_a_database_that_isn_t_named_is_told(egress: str, url: str, found: list[tuple[str, str]]) -> None:
    """What is denied is an error, what isn't named a warning, and what only the DNS tells is left to the run; without egress nothing is said."""
    assert told(egress, url) == found


@pytest.mark.parametrize(
    ("egress", "bound"), [("", False), ("egress: {allow: [a.example]}", True), ("egress: {deny: [a.example]}", True)]
)
def test_databases_are_bound_where_anything_is_said(tmp_path, egress: str, bound: bool) -> None:
    """A run's databases have the tenant's bounds as soon as it says any, with what the machine names as private."""
    (name,) = (name for name, text in CUSTOMERS.items() if "kind: Tenant" in text)
    texts = {**CUSTOMERS, name: CUSTOMERS[name].replace("spec:\n", f"spec:\n  {egress}\n", 1)}
    settings = read_settings(tmp_path, {"SYNCLINE_EGRESS_PRIVATE": "10.0.0.0/8"})
    found = network_of("x", desired(texts), settings, "acme").databases
    assert (found is not None) == bound
    assert found is None or "10.0.0.0/8" in found.private
    assert network_of("x", desired(texts), settings, "").databases is None
