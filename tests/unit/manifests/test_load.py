"""Loading: trees of files, envelopes, digests, documents, and what is said of a broken one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from syncline.kinds import KIND_BY_NAME
from syncline.manifests.load import from_document, load_text, load_tree, to_document
from syncline.model.diagnostic import Severity
from syncline.model.key import ObjectKey
from syncline.model.manifest import Moved

TENANT = "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {title: Acme}\n"


def put(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def only(content):
    result = load_text(content, "a.yaml")
    assert result.diagnostics == ()
    (manifest,) = result.manifests
    return manifest


@pytest.mark.parametrize("kind", KIND_BY_NAME.values(), ids=lambda kind: kind.name)
def test_examples(kind):
    """The example of every kind is valid, and its document gives the same manifest back."""
    manifest = only(kind.example)
    again = from_document(to_document(manifest))

    assert manifest.key.kind == kind.name
    assert (again.key, again.spec, again.labels, again.digest) == (
        manifest.key,
        manifest.spec,
        manifest.labels,
        manifest.digest,
    )
    assert to_document(again) == to_document(manifest)


def test_tree(tmp_path):
    """Files are read in the order of their names, from all folders that don't begin with a dot."""
    put(
        tmp_path,
        {
            "b/tenant.yml": TENANT.replace("acme", "b"),
            "a.yaml": TENANT.replace("acme", "a") + "---\n" + TENANT.replace("acme", "a2"),
            ".github/x.yaml": TENANT,
            ".hidden.yaml": TENANT,
            "b/.syncline/x.yaml": TENANT,
            "old/x.yaml": TENANT,
            "c.json": "{}",
        },
    )
    result = load_tree(tmp_path, ignore=["old"])

    assert [m.key.name for m in result.manifests] == ["a", "a2", "b"]
    assert [str(m.place) for m in result.manifests] == ["a.yaml:1:1", "a.yaml:6:1", "b/tenant.yml:1:1"]
    assert result.files == ("a.yaml", "b/tenant.yml")
    assert result.diagnostics == ()


def test_files_of_others(tmp_path):
    """YAML of other programs is left alone, even when it can't be read: that is a warning."""
    put(
        tmp_path,
        {
            "compose.yaml": "services: {web: {image: x}}",
            "list.yaml": "- a\n- b",
            "k8s.yaml": "apiVersion: v1\nkind: Policy\nspec: {}",
            "chart.yaml": "a: {{ .Values.x }}",
            "tags.yaml": "a: !Ref b",
        },
    )
    result = load_tree(tmp_path)

    assert {(d.place.file, d.severity) for d in result.diagnostics} == {
        ("chart.yaml", Severity.warning),
        ("tags.yaml", Severity.warning),
    }


def test_broken_file_of_ours(tmp_path):
    """A file that names our apiVersion and can't be read is an error."""
    put(tmp_path, {"a.yaml": TENANT + "  x: y: z\n"})

    assert [d.severity for d in load_tree(tmp_path).diagnostics] == [Severity.error]


def test_links(tmp_path):
    """A link to a file inside the root is followed; one that leads out, or nowhere, is a finding."""
    root = put(tmp_path / "root", {"a.yaml": TENANT})
    put(tmp_path, {"secret.yaml": TENANT})
    (root / "in.yaml").symlink_to("a.yaml")
    (root / "out.yaml").symlink_to("../secret.yaml")
    (root / "nowhere.yaml").symlink_to("missing.yaml")
    os.mkfifo(root / "pipe.yaml")
    result = load_tree(root)

    assert [(d.code, d.place.file) for d in result.diagnostics] == [
        ("SYN114", "nowhere.yaml"),
        ("SYN114", "out.yaml"),
        ("SYN114", "pipe.yaml"),
    ]
    assert [m.place.file for m in result.manifests] == ["a.yaml", "in.yaml"]


def test_linked_folder(tmp_path):
    """A link to a folder is not followed."""
    root = put(tmp_path / "root", {"a.yaml": TENANT})
    put(tmp_path, {"other/b.yaml": TENANT})
    (root / "other").symlink_to("../other")

    assert load_tree(root).files == ("a.yaml",)


def test_connector_of_a_system_with_details_of_how_to_authenticate():
    """What the short model of connectors doesn't know is read by the whole one, which also says what is wrong."""
    text = "apiVersion: syncline/v1\nkind: Connector\nmetadata: {name: mail}\nspec: {version: 1.0.0, runtime: smtp, auth: [%s]}\n"
    manifest = only(text % "basic, {type: oauth2, tokenUrl: https://id.example/token}")

    assert manifest.spec.auth[0] == "basic"
    assert manifest.spec.auth[1].token_url == "https://id.example/token"
    (wrong,) = load_text(text % "{type: oauth2, tokenUlr: https://id.example/token}", "a.yaml").diagnostics
    assert (wrong.code, wrong.suggestion) == ("SYN201", "tokenUrl")


def test_metadata():
    """Labels, annotations, protection and the former name are on the manifest; the former tenant is the same by default."""
    manifest = only(
        """\
apiVersion: syncline/v1
kind: Sync
metadata:
  name: new
  tenant: acme
  labels: {team: revops, example.com/tier: "1"}
  annotations: {note: "see #1"}
  moved: {name: old}
  protected: true
spec: {from: a/b, mapping: c, to: d/e}
"""
    )

    assert manifest.key == ObjectKey("acme", "Sync", "new")
    assert manifest.labels == {"team": "revops", "example.com/tier": "1"}
    assert manifest.annotations == {"note": "see #1"}
    assert manifest.moved == Moved("old", "acme")
    assert manifest.protected
    assert from_document(to_document(manifest)).protected


def test_digest_ignores_how_it_is_written():
    """The order of fields, comments, quotes, flow style and annotations don't change a digest."""
    one = only(
        "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: a, labels: {x: y, z: w}}\nspec: {title: T, regions: [eu-*]}"
    )
    other = only(
        """\
# a comment
spec:
  regions:
  - "eu-*"
  title: 'T'
metadata:
  labels:
    z: w
    x: y
  annotations: {note: n}
  name: a
kind: Tenant
apiVersion: syncline/v1
"""
    )

    assert one.digest == other.digest
    assert to_document(one) == to_document(other)


@pytest.mark.parametrize(
    "change",
    [
        ("title: Acme", "title: Other"),
        ("name: acme", "name: other"),
        ("name: acme", "name: acme, labels: {a: b}"),
        ("name: acme", "name: acme, protected: true"),
        ("title: Acme", 'title: Acme, owner: ""'),
    ],
)
def test_digest_follows_what_is_declared(change):
    """Whatever is declared otherwise has another digest."""
    assert only(TENANT).digest != only(TENANT.replace(*change)).digest


def test_document_is_canonical():
    """The document is JSON with sorted keys and nothing but the declaration."""
    assert to_document(only(TENANT)) == (
        '{"apiVersion":"syncline/v1","kind":"Tenant","metadata":{"name":"acme"},"spec":{"title":"Acme"}}'
    )


def test_broken_objects_are_named():
    """An object that is declared, but not validly, is named, so that references to it aren't unknown as well."""
    result = load_text(TENANT.replace("title", "titel"), "a.yaml")

    assert result.manifests == ()
    assert result.broken == (ObjectKey("", "Tenant", "acme"),)


def test_objects_of_an_unreadable_file_are_named():
    """Where a mistake keeps a file from being read, the objects that it seems to declare are named all the same."""
    content = (
        TENANT
        + "---\nkind: Sync\nmetadata: {name: orders, tenant: acme}\nspec: a: b\n---\n"
        + TENANT.replace("acme", "b")
    )
    result = load_text(content, "a.yaml")

    assert [d.code for d in result.diagnostics] == ["SYN104"]
    assert result.broken == (
        ObjectKey("", "Tenant", "acme"),
        ObjectKey("acme", "Sync", "orders"),
        ObjectKey("", "Tenant", "b"),
    )


@pytest.mark.parametrize(
    "content",
    [
        "kind: [Sync]",
        "kind: {a: 1}",
        "kind: 1",
        "kind: null",
        "metadata: {name: [a]}",
        "metadata: {tenant: {}}",
        "spec: [1]",
        "spec: null",
        "metadata: 1",
    ],
)
def test_odd_envelopes(content):
    """Any value in any part of the envelope is a finding, never an exception."""
    base = {
        "apiVersion": "apiVersion: syncline/v1",
        "kind": "kind: Tenant",
        "metadata": "metadata: {name: a}",
        "spec": "spec: {}",
    }
    base[content.partition(":")[0]] = content
    result = load_text("\n".join(base.values()), "a.yaml")

    assert result.diagnostics
    assert result.manifests == ()


@pytest.mark.parametrize(
    ("said", "suggestion"), [("windows-1250", "cp1250"), ("cp932", "shift_jis"), ("koi8_r", "koi8-r"), ("ebcdic", "")]
)
def test_an_encoding_by_another_of_its_names(tmp_path, said, suggestion):
    """Whoever calls a known encoding otherwise is told what it is called here; all that there are is said anyway."""
    text = "apiVersion: syncline/v1\nkind: Integration\nmetadata: {name: i, tenant: acme}\n"
    text += (
        f"spec: {{connector: file@^1, config: {{root: d}}, streams: {{s: {{files: a, csv: {{encoding: {said}}}}}}}}}\n"
    )
    put(tmp_path, {"a.yaml": text})
    (found,) = [d for d in load_tree(tmp_path).diagnostics if d.code == "SYN204"]
    assert found.suggestion == suggestion
    assert "cp1250, cp1251" in found.expected
    assert "gb18030" in found.expected


def test_every_finding_at_once(tmp_path):
    """Findings of all files come together, in the order of files and lines."""
    put(
        tmp_path,
        {
            "b.yaml": TENANT.replace("title: Acme", "titel: Acme, x: 1"),
            "a.yaml": TENANT.replace("kind: Tenant", "kind: Tennant"),
        },
    )
    found = [(str(d.place), d.code, d.suggestion) for d in load_tree(tmp_path).diagnostics]

    assert found == [
        ("a.yaml:2:7", "SYN207", "Tenant"),
        ("b.yaml:4:8", "SYN201", "title"),
        ("b.yaml:4:21", "SYN201", ""),
    ]


@pytest.mark.parametrize(
    "secret",
    [
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefgh",
        "https://user:hunter2pass@example.com/x",
        "xoxb-123456789012-abcdefghij",
        "sk_live_0123456789abcdefghij",
    ],
)
@pytest.mark.parametrize("quoted", ["{}", '"{}"', "'{}'"])
def test_credentials_are_found_and_not_shown(secret, quoted):
    """A literal of a credential's form is an error wherever it stands, and no field of any finding holds it."""
    content = TENANT.replace("title: Acme", f"title: {quoted.format(secret)}, unknown: 1")
    result = load_text(content, "a.yaml")

    assert [d.code for d in result.diagnostics] == ["SYN210", "SYN201"]
    assert secret not in repr(result.diagnostics)
    assert "hunter2pass" not in repr(result)


@pytest.mark.parametrize("name", ["export?year=2026&access_token=abcd-1234", "https://example.com/x?api_key=abcd-1234"])
def test_a_credential_in_a_query_is_found_and_not_shown(name):
    """A file's name is kept in positions: one whose query has a credential is an error, in a list or alone."""
    content = f"""\
apiVersion: syncline/v1
kind: Integration
metadata: {{name: crm, tenant: acme}}
spec:
  connector: web-files@^1
  config: {{root: "https://example.com"}}
  streams:
    a: {{files: ["a.csv", "{name}"], format: csv}}
    b: {{files: "{name}", format: csv}}
    c: {{files: "export?year=2026&token=", format: csv}}
"""
    result = load_text(content, "a.yaml")

    assert [(d.code, d.place.line) for d in result.diagnostics] == [("SYN210", 8), ("SYN210", 9)]
    assert "abcd-1234" not in repr(result.diagnostics)


def test_private_key_in_a_block():
    """A private key over several lines is found at its value."""
    content = TENANT.replace(
        "spec: {title: Acme}", "spec:\n  owner: |\n    -----BEGIN PRIVATE KEY-----\n    MIIEabc\n    -----END\n"
    )
    result = load_text(content, "a.yaml")

    assert [(d.code, d.place.line) for d in result.diagnostics] == [("SYN210", 5)]
    assert "MIIE" not in repr(result.diagnostics)


def test_escaped_credential_is_not_shown():
    """A credential that is written with escapes is masked as it is written, too."""
    content = TENANT.replace("title: Acme", r'title: "\x67hp_0123456789abcdefghijABCDEFGHIJ012345"')
    (finding,) = load_text(content, "a.yaml").diagnostics

    assert finding.code == "SYN210"
    assert "0123456789" not in repr(finding)


def test_credential_beside_a_syntax_error():
    """The excerpt of a file that can't be parsed doesn't show what looks like a credential."""
    content = TENANT.replace(
        "title: Acme", "password: correct-horse, note: a: ghp_0123456789abcdefghijABCDEFGHIJ012345"
    )
    (finding,) = load_text(content, "a.yaml").diagnostics

    assert finding.code == "SYN104"
    assert "correct-horse" not in repr(finding)
    assert "0123456789" not in repr(finding)


def test_secret_references_are_no_credentials():
    """References, sample records, lookups, templates and schemas that only name secrets are fine."""
    result = load_text(
        """\
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: a, tenant: acme}
spec: {type: basic, username: app, password: {secretRef: {provider: sops, key: db, path: app.password}}}
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: m, tenant: acme}
spec:
  fields: [{to: token, from: token, lookup: {password: secret-word}}]
  tests: [{given: {password: correct-horse}, expect: {token: battery}}]
---
apiVersion: syncline/v1
kind: Connector
metadata: {name: c}
spec:
  version: 1.0.0
  config: {properties: {token: {secret: true, description: "ask https://example.com:8443/@team"}}}
  http: {url: https://example.com, headers: {Authorization: "Token {{ config.token }}"}}
""",
        "a.yaml",
    )

    assert result.diagnostics == ()


def test_import_is_light():
    """Loading needs no column engine, database, HTTP client, Git or round-trip YAML library."""
    heavy = [
        "polars",
        "pyarrow",
        "sqlalchemy",
        "httpx",
        "aiohttp",
        "git",
        "ruamel",
        "psycopg",
        "cryptography",
        "jinja2",
        "rich",
        "re2",
        "subprocess",
    ]
    program = f"import sys, syncline.manifests.resolve; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("declared", "imported"),
    [("runtime: file, auth: [none, basic]", False), ('http: {url: "https://api.example.com"}', True)],
    ids=["files", "API"],
)
def test_models_of_apis_are_imported_where_one_is_declared(tmp_path, declared, imported):
    """A connector of files is read without the models of what is declared of HTTP APIs, which are most of all there
    are.
    """
    text = (
        f"apiVersion: syncline/v1\nkind: Connector\nmetadata: {{name: files}}\nspec: {{version: 1.0.0, {declared}}}\n"
    )
    (tmp_path / "files.yaml").write_text(text)
    program = (
        "import sys; from pathlib import Path; import syncline.validation; from syncline.manifests.load import load_tree; "
        "found = load_tree(Path(sys.argv[1])); models = ('auth_details', 'http', 'request', 'rest_stream', 'write'); "
        "print(len(found.manifests), {f'syncline.kinds.{name}' in sys.modules for name in models})"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == f"1 {{{imported}}}"
