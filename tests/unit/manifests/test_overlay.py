"""Environments: patches laid over manifests, variables filled in, and everything checked as if it had been written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from syncline import workflow
from syncline.manifests.load import load_tree
from syncline.manifests.overlay import declared, in_environments
from syncline.model.errors import Invalid
from syncline.model.key import ObjectKey
from syncline.settings import read_settings
from tests import repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from syncline.manifests.load import LoadResult
    from syncline.model.diagnostic import Diagnostic

ENVIRONMENTS = """\
apiVersion: syncline/v1
kind: Environments
spec:
  variables:
    place: {default: data}
    region: {enum: [eu-west, eu-north], default: eu-west}
    most: {type: integer, default: 5}
    safe: {type: boolean, default: false}
  environments:
    staging: {values: {place: test}}
    production: {values: {region: eu-north, most: 9, safe: true}}
"""
FILES = repository.FILES.replace("{root: data}", '{root: "${place}"}').replace("region: eu-west", 'region: "${region}"')
BASE = {
    **repository.CUSTOMERS,
    "environments.yaml": ENVIRONMENTS,
    "files.yaml": FILES,
    "import.yaml": repository.IMPORT.replace("customers, tenant: acme}", 'customers, tenant: acme, protected: "${safe}"}')
    .replace("write: upsert}", 'write: upsert, guards: {maxRejects: "${most}"}}'),
}  # fmt: skip
MAPPING, CRM = ObjectKey("acme", "Mapping", "customer"), ObjectKey("acme", "Integration", "crm")
IMPORT = ObjectKey("acme", "Import", "customers")
HEAD = "apiVersion: syncline/v1\nkind: {}\nmetadata: {{name: {}, tenant: acme}}\n"


def written(root: Path, *patches: tuple[str, str], base: Mapping[str, str] = BASE) -> Path:
    """A repository with environments; `patches` are files below `environments/` and their texts."""
    repository.write(root, base)
    for name, text in patches:
        path = root / "environments" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def patch(kind: str, name: str, spec: str) -> str:
    return HEAD.format(kind, name) + f"spec: {spec}\n"


def specs(loaded: LoadResult) -> dict[ObjectKey, Any]:
    assert [f"{d.place} {d.message}" for d in loaded.diagnostics if d.severity == "error"] == []
    return {m.key: m.source["spec"] for m in loaded.manifests}


def findings(root: Path, environment: str = "staging") -> list[Diagnostic]:
    return [d for d in declared(root, environment).diagnostics if d.severity == "error"]


# --- variables -------------------------------------------------------------------------------------------------------


def test_variables_take_the_values_of_the_environment(tmp_path):
    """A value that is one variable has its type; defaults hold where the environment gives nothing."""
    root = written(tmp_path)

    staging, production = specs(declared(root, "staging")), specs(declared(root, "production"))

    assert (staging[CRM]["config"], staging[CRM]["region"]) == ({"root": "test"}, "eu-west")
    assert (production[CRM]["config"], production[CRM]["region"]) == ({"root": "data"}, "eu-north")
    assert (staging[IMPORT]["guards"], production[IMPORT]["guards"]) == ({"maxRejects": 5}, {"maxRejects": 9})
    protected = [
        m.protected for env in ("staging", "production") for m in declared(root, env).manifests if m.key == IMPORT
    ]
    assert protected == [False, True]


def test_variables_in_the_midst_of_text(tmp_path):
    """Inside a text every type becomes text; `$${` stands for itself."""
    spec = '{config: {root: "a/${place}-${most}-${safe}/$${place}"}}'
    root = written(tmp_path, ("staging/p.yaml", patch("Integration", "crm", spec)))

    assert specs(declared(root, "staging"))[CRM]["config"] == {"root": "a/test-5-false/${place}"}


def test_a_repository_without_environments_knows_no_variables(tmp_path):
    """There `${x}` is text like any other."""
    root = written(tmp_path, base=repository.edited("files.yaml", "{root: data}", '{root: "${place}"}'))

    assert specs(declared(root))[CRM]["config"] == {"root": "${place}"}


@pytest.mark.parametrize(
    ("before", "after", "code", "message"),
    [
        ("{place: test}", "{plaze: test}", "SYN282", "there is no variable 'plaze'"),
        ("place: {default: data}", "place: {}", "SYN283", "the environment 'production' gives the variable 'place' no value"),
        ("most: 9", 'most: "9"', "SYN284", "the variable 'most' has a value of the wrong type"),
        ("most: 9", "most: true", "SYN284", "the variable 'most' has a value of the wrong type"),
        ("region: eu-north", "region: eu-nort", "SYN284", "'eu-nort' is not one of the values of the variable 'region'"),
        ("safe: true", "safe: 1", "SYN284", "the variable 'safe' has a value of the wrong type"),
        ("kind: Environments", "kind: Environment", "SYN286", "environments.yaml declares the environments"),
        ("variables:", "varaibles:", "SYN201", "unknown field 'varaibles'"),
        ("staging: {values: {place: test}}", "staging: {formerly: production}", "SYN286", "'production' is still"),
        ("place: {default: data}", "api_token: {default: canary}", "SYN210", "holds a credential"),
        ("{place: test}", "{place: ghp_abcdefghijklmnopqrstuvwxyz}", "SYN210", "holds a credential"),
    ],
)  # fmt: skip
def test_mistakes_in_the_variables(tmp_path, before, after, code, message):
    """Wrong declarations and values are found at their places, and nothing else is judged by them."""
    assert before in ENVIRONMENTS
    root = written(tmp_path, base={**BASE, "environments.yaml": ENVIRONMENTS.replace(before, after)})

    found = next(d for d in findings(root) if d.code == code)

    assert message in found.message
    assert found.place is not None
    assert found.place.file == "environments.yaml"
    assert "canary" not in found.excerpt
    assert "ghp_" not in found.excerpt


def test_a_secret_by_a_variable_is_found(tmp_path):
    """A credential doesn't get around by a variable with a harmless name; its value isn't shown."""
    text = ENVIRONMENTS.replace("{place: test}", "{place: canary-hunter22}")
    spec = '{config: {password: "${place}"}}'
    root = written(
        tmp_path, ("staging/p.yaml", patch("Integration", "crm", spec)), base={**BASE, "environments.yaml": text}
    )

    found = workflow.validate(read_settings(root, {}, "staging")).diagnostics
    leaked = next(d for d in found if d.code == "SYN210")

    assert str(leaked.place) == "environments/staging/p.yaml:4:27"
    assert not any("canary" in f"{d.message}{d.excerpt}" for d in found)
    assert leaked.related == ()


def test_variables_can_not_fill_the_memory(tmp_path):
    """What variables add to a document is bounded."""
    text = ENVIRONMENTS.replace("{place: test}", f"{{place: {'x' * 100_000}}}")
    lines = "\n".join(f'    - "${{place}}{n}"' for n in range(20))
    body = HEAD.format("Mapping", "customer") + f"spec:\n  key:\n{lines}\n"
    root = written(tmp_path, ("staging/p.yaml", body), base={**BASE, "environments.yaml": text})

    assert [d.code for d in findings(root)] == ["SYN284"]


# --- patches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("{config: {root: other}}", {"config": {"root": "other"}}),
        ("{region: null}", {"region": None}),
        ("{streams: {customers: {key: [id, name]}}}", {"streams": {"customers": {"files": "customers*.csv", "key": ["id", "name"]}}}),
        ("{streams: {more: {files: m.csv}}}", {"streams": {"customers": {"files": "customers*.csv", "key": ["id"]}, "more": {"files": "m.csv"}}}),
    ],
)  # fmt: skip
def test_mappings_merge_null_removes_the_rest_replaces(tmp_path, change, expected):
    """Fields are merged one by one, null removes one, a list or a scalar takes the place of what was there."""
    root = written(tmp_path, ("staging/p.yaml", patch("Integration", "crm", change)))

    before, after = specs(declared(root, "production"))[CRM], specs(declared(root, "staging"))[CRM]

    for name, value in expected.items():
        assert after.get(name) == value
    unchanged = before.keys() - expected.keys() - {"config", "region"}
    assert {n: after[n] for n in unchanged} == {n: before[n] for n in unchanged}


def test_entries_of_a_list_are_patched_by_name(tmp_path):
    """A Mapping's fields by `to`: changed in place, removed, added at the end; the other environment has none of it."""
    change = "{fields: {name: {from: full_name}, email: null, city: {from: town}}}"
    root = written(tmp_path, ("staging/deep/p.yaml", patch("Mapping", "customer", change)))

    after = specs(declared(root, "staging"))[MAPPING]["fields"]

    assert after == [
        {"to": "id", "from": "id", "type": "integer", "required": True},
        {"to": "name", "from": "full_name"},
        {"to": "city", "from": "town"},
    ]
    assert len(specs(declared(root, "production"))[MAPPING]["fields"]) == 3


def test_the_same_value_again_is_the_manifests(tmp_path):
    """A finding about what a patch repeats points at the manifest, and one about what it changes at the patch."""
    spec = '{from: "crm/customers", mapping: custmer}'
    root = written(tmp_path, ("staging/p.yaml", patch("Import", "customers", spec)))

    flow = next(m for m in declared(root, "staging").manifests if m.key == IMPORT)
    found = {d.code: str(d.place) for d in workflow.validate(read_settings(root, {}, "staging")).diagnostics}

    assert flow.place_of("spec", "from").file == "import.yaml"
    assert found == {"SYN221": "environments/staging/p.yaml:4:40"}


def test_versions_of_a_connector_are_told_apart(tmp_path):
    """A patch of a connector with several versions says which."""
    connector = "apiVersion: syncline/v1\nkind: Connector\nmetadata: {name: desk, tenant: acme}\nspec:\n  version: %s\n"
    connector += "  auth: [none]\n  http: {url: https://desk.example.com}\n  check: {get: /me}\n  streams: {}\n"
    both = {**BASE, "desk.yaml": f"{connector % '1.0.0'}---\n{connector % '2.0.0'}"}
    body = HEAD.format("Connector", "desk") + "spec: {%s http: {url: https://test.example.com}}\n"
    root = written(tmp_path / "a", ("staging/p.yaml", body % "version: 2.0.0,"), base=both)

    urls = {
        m.key.version: m.source["spec"]["http"]["url"] for m in declared(root, "staging").manifests if m.key.version
    }
    unsaid = written(tmp_path / "b", ("staging/p.yaml", body % ""), base=both)

    assert urls == {"1.0.0": "https://desk.example.com", "2.0.0": "https://test.example.com"}
    assert [(d.code, d.expected) for d in findings(unsaid)] == [("SYN286", "spec.version: 1.0.0 or 2.0.0")]


def test_an_object_may_be_in_some_environments_only(tmp_path):
    """`metadata.environments` names them; elsewhere it isn't declared, and the digest doesn't tell the difference."""
    only = BASE["import.yaml"].replace("tenant: acme,", "tenant: acme, environments: [production],")
    root = written(tmp_path, base={**BASE, "import.yaml": only})

    there = {m.key: m.digest for m in declared(root, "production").manifests}

    assert IMPORT not in specs(declared(root, "staging"))
    assert there[IMPORT] == {m.key: m.digest for m in declared(written(tmp_path / "b"), "production").manifests}[IMPORT]


# --- choosing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "help_"),
    [("", "Give --environment staging or production."), ("stagin", "Did you mean staging?")],
)
def test_an_environment_has_to_be_chosen(tmp_path, environment, help_):
    """Without one, and with one that isn't there, nothing is guessed."""
    with pytest.raises(Invalid) as caught:
        declared(written(tmp_path), environment)

    assert (caught.value.code, caught.value.help) == ("SYN280", help_)


def test_an_environment_of_a_repository_without_any(tmp_path):
    """A name that means nothing is refused, and so is an object that names one."""
    root = written(tmp_path, base=repository.edited("import.yaml", "tenant: acme", "tenant: acme, environments: [a]"))

    with pytest.raises(Invalid) as caught:
        declared(root, "staging")

    assert caught.value.code == "SYN280"
    assert [d.code for d in findings(root, "")] == ["SYN281"]


def test_another_programs_file_of_that_name_is_left_alone(tmp_path):
    """`environments.yaml` without our apiVersion declares nothing."""
    other = {**repository.CUSTOMERS, "environments.yaml": "staging: {url: https://example.com}\n"}

    assert declared(written(tmp_path, base=other)) == load_tree(tmp_path)


def test_validate_checks_every_environment(tmp_path):
    """What is wrong in one of them only says so; what is wrong in all is told once."""
    change = patch("Import", "customers", "{mapping: custmer}")
    broken = {**BASE, "mapping.yaml": BASE["mapping.yaml"].replace("key: [id]", "kye: [id]")}
    root = written(tmp_path, ("production/p.yaml", change), base=broken)

    found = workflow.validate_each(read_settings(root, {}))
    merged = in_environments({name: v.diagnostics for name, v in found.items()})

    assert list(found) == ["staging", "production"]
    assert [(d.code, "(in production)" in d.message) for d in merged] == [("SYN221", True), ("SYN201", False)]


def test_a_damaged_file_of_another_program_hides_no_manifest(tmp_path):
    """An `environments.yaml` that can't be read and isn't ours doesn't make the repository declare nothing."""
    root = repository.write(tmp_path, repository.CUSTOMERS).root
    before = {manifest.key for manifest in declared(root).manifests}
    (root / "environments.yaml").write_bytes(b"a: \xff\xfe b\n")

    assert {manifest.key for manifest in declared(root).manifests} == before


def test_a_patch_finds_the_object_of_its_environment(tmp_path):
    """Of an object that is declared once for each environment, a patch changes the one that is there."""
    only = "metadata: {{name: other, tenant: acme, environments: [{}]}}"
    text = BASE["files.yaml"].replace("name: crm,", "name: other,").split("---")[0]
    head = text[text.index("metadata:") : text.index("\n", text.index("metadata:"))]
    both = "---\n".join(text.replace(head, only.format(name)) for name in ("staging", "production"))
    change = patch("Integration", "other", "{config: {root: elsewhere}}")
    root = written(tmp_path, ("production/p.yaml", change), base={**BASE, "other.yaml": both})

    key = ObjectKey("acme", "Integration", "other")
    assert specs(declared(root, "production"))[key]["config"]["root"] == "elsewhere"
    assert specs(declared(root, "staging"))[key]["config"]["root"] == "test"


def test_a_patch_hides_no_entry_that_is_there_twice(tmp_path):
    """Two fields of one name are an error in the environment that patches the list, as in the other."""
    twice = BASE["mapping.yaml"].replace("- {to: id,", "- {to: id, from: other}\n  - {to: id,")
    change = patch("Mapping", "customer", "{fields: {name: {from: full_name}}}")
    root = written(tmp_path, ("staging/p.yaml", change), base={**BASE, "mapping.yaml": twice})

    for name in ("staging", "production"):
        assert "SYN212" in {d.code for d in workflow.validate(read_settings(root, {}, name)).diagnostics}


def test_a_field_that_a_patch_removes_and_is_needed_is_told_at_the_patch(tmp_path):
    """The manifest is right without the patch, so that the finding stands where the field is removed; variables filled in."""
    text = patch("Import", "customers", "\n  mapping: null\n  guards: {maxRejects: 3}")
    (found,) = findings(written(tmp_path, ("staging/import.yaml", text)))

    assert (found.code, str(found.place)) == ("SYN202", "environments/staging/import.yaml:5:3")
    assert "spec needs the field 'mapping'" in found.message
    assert findings(tmp_path, "production") == []


def test_a_field_inside_that_a_patch_removes_is_told_at_the_patch(tmp_path):
    """The same holds for a field of an entry that is patched by its name."""
    text = patch("Mapping", "customer", "\n  fields:\n    email: {to: null}")
    (found,) = findings(written(tmp_path, ("staging/mapping.yaml", text)))

    assert (found.code, str(found.place)) == ("SYN202", "environments/staging/mapping.yaml:6:13")
