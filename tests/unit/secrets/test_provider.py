from __future__ import annotations

import os
import shutil
import traceback
from pathlib import Path

import pytest

from syncline.model.codes import CODES
from syncline.model.errors import Invalid, Stalled
from syncline.secrets.contract import Context, Reference, Unavailable
from syncline.secrets.file import MAX_SIZE
from syncline.secrets.provider import PROVIDERS, check, resolve

CANARY = "canary-77d1"


def context(root: Path, tenant: str = "", **environ: str) -> Context:
    return Context(root, environ, tenant)


def refusal(reference: Reference, where: Context) -> Stalled | Invalid:
    """The error of a reference that cannot be resolved; `check` says the same, and neither shows the canary."""
    with pytest.raises((Unavailable, Invalid)) as caught:
        resolve(reference, where)
    error = caught.value
    assert isinstance(error, Stalled | Invalid)
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert CANARY not in "".join(shown.format())
    assert CANARY not in error.help
    assert reference.provider in str(error)
    assert error.code in CODES
    return error


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_providers_are_a_list_that_can_be_read():
    """There are nine, each with its name."""
    names = ["env", "sops", "exec", "file", "vault", "aws", "keyring", "pkcs11", "vault-dynamic"]
    assert [provider.name for provider in PROVIDERS] == names


def test_an_unknown_provider_is_invalid_with_a_suggestion(tmp_path: Path):
    """A misspelt provider is the manifest's mistake: a diagnostic with the nearest name."""
    error = refusal(Reference("environ", "X"), context(tmp_path))

    assert isinstance(error, Invalid)
    assert error.diagnostics[0].suggestion == "env"
    assert error.code == "SYN804"
    assert check(Reference("environ", "X"), context(tmp_path)) is not None


def test_a_context_does_not_show_the_environment(tmp_path: Path):
    """The environment may hold secrets, so a context prints without it."""
    assert CANARY not in repr(context(tmp_path, X=CANARY))


# --- env -------------------------------------------------------------------------------------------------------------


def test_a_variable_is_read(tmp_path: Path):
    """The value of the variable, whole or a part of its JSON, numbers as written."""
    where = context(tmp_path, TOKEN=CANARY, DOC='{"a": {"b": ["x", 1.50, true]}, "n": null}')

    assert resolve(Reference("env", "TOKEN"), where).reveal() == CANARY
    assert check(Reference("env", "TOKEN"), where) is None
    for path, value in (("a.b.0", "x"), ("a.b.1", "1.50"), ("a.b.2", "true")):
        assert resolve(Reference("env", "DOC", path), where).reveal() == value


@pytest.mark.parametrize(
    ("reference", "code", "message"),
    [
        (Reference("env", "MISSING"), "SYN801", "the variable MISSING is not set"),
        (Reference("env", "EMPTY"), "SYN801", "the variable EMPTY is empty"),
        (Reference("env", "not a name"), "SYN804", "is not the name of a variable"),
        (Reference("env", "TOKEN", "a"), "SYN803", "it is not JSON"),
        (Reference("env", "DOC", "a.x"), "SYN801", "there is no 'x' in a"),
        (Reference("env", "DOC", "a"), "SYN801", "a has parts"),
        (Reference("env", "DOC", "l.5"), "SYN801", "there is no '5' in l"),
        (Reference("env", "DOC", "l.-1"), "SYN801", "there is no '-1' in l"),
        (Reference("env", "DOC", "n"), "SYN801", "n is null"),
    ],
)
def test_a_variable_that_cannot_be_had_says_why(tmp_path: Path, reference: Reference, code: str, message: str):
    """Not set, empty, not a name, not JSON, no such part: each by itself, never with a value."""
    where = context(tmp_path, EMPTY="", TOKEN=CANARY, DOC=f'{{"a": {{"b": "{CANARY}"}}, "l": ["{CANARY}"], "n": null}}')

    error = refusal(reference, where)

    assert message in str(error)
    assert error.code == code
    assert isinstance(error, Invalid if code == "SYN804" else Stalled)


# --- file ------------------------------------------------------------------------------------------------------------


def test_a_file_is_read_without_its_last_newline(tmp_path: Path):
    """Absolute or under the root; one line end is taken off, others stay; a part of JSON is picked."""
    write(tmp_path / "a/token", f"{CANARY}\n")
    write(tmp_path / "pem", "line\nline\n\n")
    write(tmp_path / "dos", "x\r\n")
    write(tmp_path / "doc.json", '{"a": "b"}\n', 0o640)
    where = context(tmp_path)

    assert resolve(Reference("file", "a/token"), where).reveal() == CANARY
    assert resolve(Reference("file", str(tmp_path / "a/token")), where).reveal() == CANARY
    assert resolve(Reference("file", "pem"), where).reveal() == "line\nline\n"
    assert resolve(Reference("file", "dos"), where).reveal() == "x"
    assert resolve(Reference("file", "doc.json", "a"), where).reveal() == "b"
    assert check(Reference("file", "a/token"), where) is None


def test_links_are_followed_inside_the_folder_only(tmp_path: Path):
    """A Kubernetes mount (token → ..data/token → ..2026/token) works; a link to elsewhere, or a path that climbs out,
    does not.
    """
    mount = tmp_path / "run/secrets"
    write(mount / "..2026/token", CANARY)
    (mount / "..data").symlink_to("..2026")
    (mount / "token").symlink_to("..data/token")
    root = tmp_path / "repository"
    write(root / "inside", CANARY)
    (root / "link").symlink_to(mount / "token")
    (mount / "escape").symlink_to(root / "inside")
    (root / "loop").symlink_to("loop")
    where = context(root)

    assert resolve(Reference("file", str(mount / "token")), where).reveal() == CANARY
    for key in ("link", "../run/secrets/token", str(mount / "escape")):
        error = refusal(Reference("file", key), where)
        assert "leads out of" in str(error)
        assert error.code == "SYN802"
    assert refusal(Reference("file", "loop"), where).code == "SYN802"


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o777])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int):
    """Whoever else can read or write it makes it no secret; the mode is named with the remedy."""
    write(tmp_path / "token", CANARY, mode)

    error = refusal(Reference("file", "token"), context(tmp_path))

    assert f"mode {mode:04o}" in str(error)
    assert error.help.startswith("chmod o=")


def test_other_files_are_refused(tmp_path: Path):
    """Nothing there, a folder, a pipe, too large, not text, empty, no name."""
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)
    write(tmp_path / "large", "x" * (MAX_SIZE + 1))
    (write(tmp_path / "bytes", "")).write_bytes(b"\xff" + CANARY.encode())
    write(tmp_path / "empty", "\n")
    cases = {"none": "there is no file", "folder": "not a plain file", "pipe": "not a plain file", "large": "more than",
             "bytes": "not UTF-8", "empty": "it is empty", "": "must be the path", "a\0b": "must be the path",
             "large/x": "cannot be opened"}  # fmt: skip

    for key, message in cases.items():
        assert message in str(refusal(Reference("file", key), context(tmp_path)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path):
    """A file that someone else owns is someone else's to change."""
    path = write(tmp_path / "token", CANARY)
    os.chown(path, 12_345, 12_345)

    assert "belongs to another user" in str(refusal(Reference("file", "token"), context(tmp_path)))


# --- sops ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def identity(shared: Path) -> str:
    """The text of the key file that the vectors are for, comment included."""
    return (shared / "vectors/sops/generated/age-test-key.txt").read_text()


@pytest.fixture
def repository(shared: Path, tmp_path: Path) -> Path:
    """A repository with a shared SOPS file, one of tenant acme, and one by its own name."""
    generated = shared / "vectors/sops/generated"
    (tmp_path / "secrets").mkdir()
    shutil.copy(generated / "enc.yaml", tmp_path / "secrets.sops.yaml")
    shutil.copy(generated / "enc.json", tmp_path / "secrets/acme.sops.json")
    shutil.copy(generated / "enc.yaml", tmp_path / "secrets/other.yaml")
    return tmp_path


@pytest.mark.parametrize(
    ("reference", "tenant", "value"),
    [
        (Reference("sops", "db.user"), "", "adm"),
        (Reference("sops", "db", "user"), "", "adm"),
        (Reference("sops", "list.1.b"), "", "c"),
        (Reference("sops", "secrets/other.yaml", "db.port"), "", "5432"),
        (Reference("sops", "a.b"), "acme", "c"),
        (Reference("sops", "db.user"), "acme", "adm"),
    ],
)
def test_a_value_of_a_sops_file_is_read(repository: Path, identity: str, reference: Reference, tenant: str, value: str):
    """By a dotted key in the tenant's file, then the shared one; or by file and path."""
    where = context(repository, tenant, SOPS_AGE_KEY=identity)

    assert resolve(reference, where).reveal() == value
    assert check(reference, where) is None


def test_a_tenant_does_not_see_the_file_of_another(repository: Path, identity: str):
    """What is in acme's file is not there for others by key, whatever the tenant is called."""
    for tenant in ("", "beta", "../secrets/acme", ".."):
        error = refusal(Reference("sops", "a.b"), context(repository, tenant, SOPS_AGE_KEY=identity))
        assert error.code == "SYN801"


@pytest.mark.parametrize(
    "variable", ["SYNCLINE_AGE_KEY", "SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "XDG_CONFIG_HOME", "HOME"]
)
def test_the_identity_is_found_where_sops_looks(repository: Path, identity: str, variable: str):
    """Our variable, sops' variable, the file that is named, and sops' own place in the configuration folder."""
    folder = repository / "home"
    places = {"SOPS_AGE_KEY_FILE": "keys", "XDG_CONFIG_HOME": "sops/age/keys.txt", "HOME": ".config/sops/age/keys.txt"}
    value = identity
    if variable in places:
        write(folder / places[variable], identity)
        value = str(folder / "keys" if variable == "SOPS_AGE_KEY_FILE" else folder)

    assert resolve(Reference("sops", "db.user"), context(repository, **{variable: value})).reveal() == "adm"


def test_sops_files_that_cannot_be_had_say_why(repository: Path, identity: str):
    """No identity, a wrong one, no file, no key, a file outside, a file that is not encrypted."""
    write(repository / "plain.yaml", f"a: {CANARY}\n")
    (repository / "out.yaml").symlink_to("/etc/hostname")
    good = {"SOPS_AGE_KEY": identity}
    cases: list[tuple[Reference, dict[str, str], str]] = [
        (
            Reference("sops", "db.user"),
            {},
            "is encrypted for age1gp4q92ra8mmw3mk47hcmnynnzzryseg4kqv4ge03qy3heyh3muxqfuu7z7",
        ),
        (Reference("sops", "db.user"), {"SOPS_AGE_KEY": f"AGE-{CANARY}"}, "not an X25519 identity"),
        (Reference("sops", "db.user"), {"SOPS_AGE_KEY_FILE": "/nowhere/at/all"}, "does not exist"),
        (Reference("sops", "db.pass"), good, "there is no 'pass' in db"),
        (Reference("sops", "nul"), good, "nul is null"),
        (Reference("sops", "none.yaml", "a"), good, "there is no none.yaml"),
        (Reference("sops", "../x.yaml", "a"), good, "there is no ../x.yaml"),
        (Reference("sops", "out.yaml", "a"), good, "leads out of the repository"),
        (Reference("sops", "plain.yaml", "a"), good, "not encrypted by SOPS"),
    ]
    for reference, environ, message in cases:
        where = context(repository, **environ)
        error = refusal(reference, where)
        assert message in str(error)
        found = check(reference, where)
        assert found is None or found.message in str(error)
    empty = refusal(Reference("sops", "a"), context(repository / "home"))
    assert "there is no secrets.sops.yaml or secrets.sops.yml or secrets.sops.json" in str(empty)


@pytest.mark.parametrize("provider", ["file", "sops"])
@pytest.mark.parametrize("key", [".syncline/keys/a.yaml", ".git/a.yaml", "link/keys/a.yaml", "state/a.yaml"])
def test_reserved_folders_hold_no_secrets(tmp_path: Path, provider: str, key: str):
    """Git's folder, Syncline's own and a home elsewhere are refused: by name, by a link, by an absolute path."""
    for folder in (".syncline/keys", ".git", "state"):
        write(tmp_path / folder / "a.yaml", CANARY)
    (tmp_path / "link").symlink_to(".syncline")
    where = Context(tmp_path, {}, home=tmp_path / "state")
    for written in (key, str(tmp_path / key)):
        assert refusal(Reference(provider, written), where).code == "SYN218"


@pytest.mark.parametrize(
    "name", ["SYNCLINE_STATE", "SYNCLINE_PKCS11_PIN", "VAULT_TOKEN", "VAULT_SECRET_ID", "SOPS_AGE_KEY"]
)
def test_what_opens_everything_else_is_no_secret_to_refer_to(tmp_path: Path, name: str):
    """Whoever writes manifests could have it sent to a system of theirs."""
    error = refusal(Reference("env", name), context(tmp_path, **{name: CANARY}))

    assert error.code == "SYN804"
    assert check(Reference("env", name), context(tmp_path, **{name: CANARY})) is not None
