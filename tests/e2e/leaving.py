"""A tenant that is to leave: two tenants in a repository, the first of which is retired, and what is left of it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.secrets.keys.ring import KeyRing
from syncline.state.open import open_store
from syncline.tenancy.offboarding import Wanted
from tests.e2e import house

OTHER = {"acme": "globex", "root: data": "root: other", "path: warehouse.db": "path: other.db"}


def git(root, *words):
    """Runs Git there, as somebody."""
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(root), *identity, *words], check=True, capture_output=True)


def commit(root, message):
    """Commits everything that lies there."""
    git(root, "add", "-A")
    git(root, "commit", "-qm", message)


def lived_in(root, scenario=None, tenant=house.TENANT, flow=""):
    """Two tenants in a Git repository whose flows have run; what is said of the flows of the first, besides."""
    root.mkdir(parents=True, exist_ok=True)
    scenario = scenario or house.Scenario("upsert")
    texts = scenario.texts | {"tenant.yaml": tenant}
    if flow:
        texts["sync.yaml"] = texts["sync.yaml"].replace("read: full", f"read: full, {flow}")
    other = "---\n".join(house.Scenario("upsert").texts.values())
    for before, after in OTHER.items():
        other = other.replace(before, after)
    settings = house.build(root, texts | {"other.yaml": other})
    (root / ".gitignore").write_text(".syncline/\n*.db\ndata/\nother/\nlake/\n")
    git(root, "init", "-q")
    house.customers(root, 20)
    (root / "other").mkdir()
    shutil.copy(root / "data" / "customers.csv", root / "other")
    commit(root, "Two tenants")
    workflow.apply(settings)
    for applied in workflow.objects(settings):
        if applied.key.kind == "Sync":
            workflow.run(settings, applied.key, progress=Silent())
    return settings


def retired(settings):
    """The first tenant's manifests are gone by a commit, which is applied."""
    for name in ("tenant", "source", "mapping", "warehouse", "sync"):
        (settings.root / f"{name}.yaml").unlink()
    commit(settings.root, "acme leaves")
    workflow.apply(settings, allow_deletes=True)
    return settings


def left(settings):
    """Rows of the tenant in the state, and whether its key is there."""
    store = open_store(settings.state_url)
    try:
        return store.tenants().counts("acme"), KeyRing.open(settings.keys).exists("acme")
    finally:
        store.close()


def wanted(settings, **how):
    """An offboarding whose archive lies beside the repository."""
    return Wanted(settings.root.parent / "acme.zip", **how)


def statement(bundle):
    """What a bundle that is signed says."""
    return json.loads(base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"]))
