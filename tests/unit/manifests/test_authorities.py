"""Files of authorities that manifests name are looked at when they are validated, wherever `tls.ca` may stand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncline import workflow
from syncline.settings import read_settings
from tests import repository
from tests.peers.pki import Authority

HEAD = "apiVersion: syncline/v1\nkind: {}\nmetadata: {{name: {}}}\nspec:\n"
WEBHOOK = (
    HEAD.format("Subscription", "ops")
    + """\
  on: [incident]
  do:
    webhook:
      url: https://hooks.example.com
      secret: {secretRef: {provider: env, key: HOOK}}
      tls:
        ca: CA
"""
)
INTEGRATION = (
    HEAD.format("Integration", "lake")
    + """\
  connector: mariadb@^1
  config: {url: "mariadb://db.example.com/lake"}
  tls: {ca: CA}
"""
)
PROXY = (
    HEAD.format("Integration", "desk")
    + """\
  connector: slack@^1
  proxy: {url: "https://proxy.example.com:3129", tls: {ca: CA}}
"""
)
SOURCE = (
    HEAD.format("Source", "team")
    + """\
  url: https://git.example.com/team.git
  tls: {ca: CA}
  declares: {tenants: []}
"""
)
CONNECTOR = (
    HEAD.format("Connector", "crm")
    + """\
  version: 1.0.0
  runtime: rest
  http: {url: "https://crm.example.com", tls: {ca: CA}}
  streams: {things: {key: [id], get: /things, schema: {type: object, properties: {id: {type: integer}}}}}
"""
)
KINDS = {"webhook": WEBHOOK, "integration": INTEGRATION, "proxy": PROXY, "source": SOURCE, "connector": CONNECTOR}


def found(root, text, name):
    """Findings about authorities: their text and place."""
    repository.write(root, {"one.yaml": text.replace("CA", name)})
    told = workflow.validate(read_settings(root, {})).diagnostics
    return [d for d in told if d.code == "SYN921"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_cannot_be_used_is_told(tmp_path, kind):
    """Each says what is wrong, and where that is written; a file with a certificate is none of them."""
    root = tmp_path / "root"
    ca = Authority(root / "pki").ca
    (tmp_path / "outside.pem").write_bytes(ca.read_bytes())
    (root / "pki" / "empty.pem").write_text("")
    (root / "pki" / "key.pem").write_text(ca.read_text().replace("CERTIFICATE", "PUBLIC KEY"))
    (root / "pki" / "torn.pem").write_text(ca.read_text()[:200])
    (root / "pki" / "ca.der").write_bytes(bytes(range(128, 256)))
    (root / "pki" / "circle.pem").symlink_to("circle.pem")
    (root / "pki" / "link.pem").symlink_to(tmp_path / "outside.pem")
    told = {
        "pki/none.pem": "there is no file 'pki/none.pem'",
        "pki": "there is no file 'pki'",
        **{
            name: f"{name!r} means no file inside the repository"
            for name in ("../outside.pem", "pki/link.pem", "pki/circle.pem")
        },
        "x" * 300: f"there is no file '{'x' * 300}'",
        **{
            f"pki/{name}": f"'pki/{name}' has no certificate in PEM form"
            for name in ("empty.pem", "key.pem", "torn.pem", "ca.der")
        },
    }
    for name, message in told.items():
        (finding,) = found(root, KINDS[kind], name)
        assert (finding.message, str(finding.severity)) == (message, "error")
        lines = KINDS[kind].splitlines()
        line = next(number for number, text in enumerate(lines, 1) if "ca: CA" in text)
        assert (finding.place.file, finding.place.line) == ("one.yaml", line)
        assert finding.place.column == lines[line - 1].index("ca: CA") + len("ca: ") + 1
    assert found(root, KINDS[kind], "pki/ca.crt") == []
    (root / "pki" / "bundle.pem").write_text(f"# Główny Urząd Certyfikacji\n{ca.read_text()}", encoding="utf-8")
    assert found(root, KINDS[kind], "pki/bundle.pem") == []


def test_it_is_looked_for_where_flows_run(tmp_path):
    """A daemon plans the tree of a commit: what is declared there is looked for below the folder that flows run from."""
    root, tree = tmp_path / "root", tmp_path / "tree"
    Authority(root)
    assert found(tree, WEBHOOK, "ca.crt")
    settings = replace(read_settings(tree, {}), runs_from=root)
    assert not [d for d in workflow.validate(settings).diagnostics if d.code == "SYN921"]


def test_a_file_that_comes_later_counts(tmp_path):
    """Who validates again and again finds it once it is there, though no manifest has changed."""
    from syncline.planner.known import Known
    from syncline.validation import validate

    settings, known = read_settings(tmp_path, {}), Known()
    repository.write(tmp_path, {"one.yaml": WEBHOOK.replace("CA", "ca.crt")})

    def codes():
        return {d.code for d in validate(settings, known=known).diagnostics}

    assert "SYN921" in codes()
    Authority(tmp_path)
    assert "SYN921" not in codes()
