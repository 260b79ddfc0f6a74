"""Keys and secrets in a real server of Vault's API."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
from typing import TYPE_CHECKING

import pytest

from syncline.executor.flows.instance import resolver
from syncline.kinds.base import SecretRef
from syncline.model.errors import Again, Invalid, Stalled
from syncline.model.secret import Secret
from syncline.sdk.keep import Keep
from syncline.secrets.contract import Context, Reference, Sessions
from syncline.secrets.keys.kek_where import Where
from syncline.secrets.keys.rewrap import rotate, unfinished
from syncline.secrets.keys.ring import KeyRing
from syncline.secrets.provider import resolve, writer
from syncline.secrets.vault_client import VaultClient
from syncline.secrets.window import accepted, finish, replace
from syncline.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peers.systems.openbao import OpenBao

CANARY = "canary-11f3"


def test_the_key_encryption_key_is_in_transit(openbao: OpenBao, tmp_path: Path):
    """A ring is moved there, rotated there, and back into a file; what was sealed before opens at every stage."""
    folder = tmp_path / "keys"
    environ = openbao.role("ring")
    blob = KeyRing.open(folder).seal("acme", b"plain", "p")

    moved = rotate(Where(folder, environ), "vault:transit/syncline")

    assert not (folder / "kek").exists()
    assert moved.entry.place == "vault:transit/syncline"
    assert b"vault:v1:" in (folder / "tenants/acme.key").read_bytes()
    assert KeyRing.open(folder, environ).unseal("acme", blob, "p") == b"plain"

    again = rotate(Where(folder, environ))

    assert again.entry.id != moved.entry.id
    assert b"vault:v2:" in (folder / "tenants/acme.key").read_bytes()
    assert KeyRing.open(folder, environ).unseal("acme", blob, "p") == b"plain"

    back = rotate(Where(folder, environ), "file")

    assert "min_decryption_version" in back.remains[0]
    assert KeyRing.open(folder).unseal("acme", blob, "p") == b"plain"


def test_what_an_erasure_destroys_is_gone_from_transit(openbao: OpenBao, tmp_path: Path):
    """
    Keys of parts are covered by a transit key of their own, which an erasure deletes there: the whole folder from before
    opens everything but parts, as a copy and put back; the parts that are left open as before.
    """
    folder, copied = tmp_path / "keys", tmp_path / "copy"
    environ = openbao.role("erasing")
    KeyRing.open(folder).seal("acme", b"x", "p")
    rotate(Where(folder, environ), "vault:transit/erasing")
    ring = KeyRing.open(folder, environ)
    blobs = {part: ring.envelope("acme", part).seal(part.encode(), "p") for part in ("one", "two")}
    rest, cover = ring.seal("acme", b"rest", "p"), ring.cover_place("acme")
    assert cover.startswith("vault:transit/erasing-")
    shutil.copytree(folder, copied)

    ring.destroy("acme", "one")
    assert ring.renew_parts("acme") == ()

    with pytest.raises(urllib.error.HTTPError) as gone:
        openbao.ask("GET", f"transit/keys/{cover.rpartition('/')[2]}")
    assert gone.value.code == 404
    assert KeyRing.open(folder, environ).opening("acme", "two").open(blobs["two"], "p") == b"two"
    for place in ("copy", "put back"):
        at = KeyRing.open(copied if place == "copy" else folder, environ)
        with pytest.raises(Stalled) as caught:
            at.opening("acme", "one").open(blobs["one"], "p")
        assert caught.value.code == "SYN823"
        assert at.unseal("acme", rest, "p") == b"rest"
        shutil.copytree(copied, folder, dirs_exist_ok=True)


def test_a_role_that_may_not_cover_parts_is_told_what_to_allow(openbao: OpenBao, tmp_path: Path):
    """Where the policy knows only the ring's key, no part is sealed by less: it stops, and says what is to be allowed."""
    folder = tmp_path / "keys"
    environ = openbao.role("narrow")
    KeyRing.open(folder).seal("acme", b"x", "p")
    rotate(Where(folder, environ), "vault:transit/narrow")
    token = openbao.narrow("transit/keys/narrow", "transit/encrypt/narrow", "transit/decrypt/narrow")

    with pytest.raises(Stalled, match="permission denied") as caught:
        KeyRing.open(folder, {**openbao.place, "VAULT_TOKEN": token}).envelope("acme", "part")

    assert caught.value.code == "SYN822"
    assert "transit/keys/narrow-*" in caught.value.help


def test_every_byte_of_a_key_wrapped_by_transit_counts(openbao: OpenBao, tmp_path: Path):
    """A file with any byte changed is refused as damaged, as is one of another tenant under this name."""
    folder = tmp_path / "keys"
    environ = openbao.role("bytes")
    ring = KeyRing.open(folder)
    ring.seal("acme", b"x", "p")
    ring.seal("beta", b"x", "p")
    rotate(Where(folder, environ), "vault:transit/bytes")
    path = folder / "tenants/acme.key"
    good = path.read_bytes()
    ring = KeyRing.open(folder, environ)
    changed = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(len(good))]
    for data in (*changed, (folder / "tenants/beta.key").read_bytes()):
        path.write_bytes(data)
        with pytest.raises(Stalled, match="is damaged|can't be|refused") as caught:
            ring.envelope("acme")
        assert caught.value.code in {"SYN805", "SYN822"}
    path.write_bytes(good)
    assert ring.envelope("acme")


def test_without_the_server_nothing_is_sealed(openbao: OpenBao, tmp_path: Path):
    """A server that isn't there is tried again later; one that refuses us is a person's matter. Nothing is made anew."""
    folder = tmp_path / "keys"
    environ = openbao.role("gone")
    blob = KeyRing.open(folder).seal("acme", b"x", "p")
    rotate(Where(folder, environ), "vault:transit/gone")

    with pytest.raises(Again) as gone:
        KeyRing.open(folder, {**environ, "VAULT_ADDR": "https://127.0.0.1:1"}).unseal("acme", blob, "p")
    with pytest.raises(Stalled) as refused:
        KeyRing.open(folder, {**environ, "VAULT_SECRET_ID": "wrong"}).unseal("acme", blob, "p")
    with pytest.raises(Stalled) as plain:
        KeyRing.open(folder, {**environ, "VAULT_ADDR": "http://vault.example"}).unseal("acme", blob, "p")
    with pytest.raises(Again, match="certificate"):
        KeyRing.open(folder, {k: v for k, v in environ.items() if k != "VAULT_CACERT"}).unseal("acme", blob, "p")

    assert [e.value.code for e in (gone, refused, plain)] == ["SYN820", "SYN822", "SYN822"]
    assert KeyRing.open(folder, environ).unseal("acme", blob, "p") == b"x"


def test_a_client_certificate_and_a_pinned_key(openbao: OpenBao, tmp_path: Path):
    """A server that asks for a certificate is shown ours, and one whose key isn't pinned is told nothing."""
    environ = {**openbao.role("shown"), "VAULT_ADDR": openbao.strict, "VAULT_CACERT": str(openbao.authority)}
    files = {"VAULT_CLIENT_CERT": str(openbao.reader.certificate), "VAULT_CLIENT_KEY": str(openbao.reader.key)}
    pinned = environ | files | {"SYNCLINE_VAULT_PINS": f"sha256/{'A' * 43}= {openbao.pin}"}
    blob = KeyRing.open(tmp_path).seal("acme", b"x", "p")
    rotate(Where(tmp_path, pinned), "vault:transit/shown")

    assert KeyRing.open(tmp_path, pinned).unseal("acme", blob, "p") == b"x"
    with pytest.raises(Again, match="asks for a client certificate|closed|ended|failed"):
        KeyRing.open(tmp_path, environ).unseal("acme", blob, "p")
    with pytest.raises(Stalled, match="isn't one that is pinned"):
        KeyRing.open(tmp_path, pinned | {"SYNCLINE_VAULT_PINS": f"sha256/{'A' * 43}="}).unseal("acme", blob, "p")
    with pytest.raises(Stalled, match="VAULT_CLIENT_KEY names"):
        KeyRing.open(tmp_path, pinned | {"VAULT_CLIENT_KEY": str(tmp_path / "gone")}).unseal("acme", blob, "p")


def test_a_rotation_to_where_we_may_not_go_changes_nothing(openbao: OpenBao, tmp_path: Path):
    """Refused by the server's policy, the rotation isn't begun, and the ring goes on with its key."""
    folder = tmp_path / "keys"
    blob = KeyRing.open(folder).seal("acme", b"x", "p")

    with pytest.raises(Stalled, match="permission denied"):
        rotate(Where(folder, openbao.role("poor")), "vault:elsewhere/key")

    assert not unfinished(folder)
    assert KeyRing.open(folder).unseal("acme", blob, "p") == b"x"


# --- the provider ----------------------------------------------------------------------------------------------------


def test_a_field_of_a_kv_secret_is_read(openbao: OpenBao, tmp_path: Path):
    """By path, or without one where there is one field; what isn't there, or isn't ours, says so and shows no value."""
    openbao.ask("POST", "secret/data/acme/crm", {"data": {"token": CANARY, "db": {"password": "p"}}})
    openbao.ask("POST", "secret/data/acme/one", {"data": {"only": CANARY}})
    openbao.ask("POST", "secret/data/beta/crm", {"data": {"token": CANARY}})
    where = Context(tmp_path, openbao.role("reader"))

    assert resolve(Reference("vault", "secret/acme/crm", "token"), where).reveal() == CANARY
    assert resolve(Reference("vault", "secret/acme/crm", "db.password"), where).reveal() == "p"
    assert resolve(Reference("vault", "secret/acme/one"), where).reveal() == CANARY
    for reference, code in (
        (Reference("vault", "secret/acme/nothing", "token"), "SYN801"),
        (Reference("vault", "secret/acme/crm", "tokens"), "SYN801"),
        (Reference("vault", "secret/acme/crm"), "SYN801"),
        (Reference("vault", "secret/beta/crm", "token"), "SYN822"),
    ):
        with pytest.raises(Stalled) as caught:
            resolve(reference, where)
        assert caught.value.code == code
        assert CANARY not in str(caught.value)
    with pytest.raises(Invalid):
        resolve(Reference("vault", "secret"), where)


def test_one_login_serves_many_secrets(openbao: OpenBao, tmp_path: Path):
    """Providers are made for each use, and share the login while somebody keeps the sessions: a secret id for one use
    is enough.
    """
    openbao.ask("POST", "secret/data/acme/many", {"data": {"a": "1", "b": "2"}})
    where = Context(tmp_path, openbao.role("once", secret_id_num_uses=1))

    assert [resolve(Reference("vault", "secret/acme/many", name), where).reveal() for name in "ab"] == ["1", "2"]
    with pytest.raises(Stalled) as caught:
        resolve(Reference("vault", "secret/acme/many", "a"), replace_sessions(where))
    assert caught.value.code == "SYN822"


def test_a_token_is_renewed_while_it_may_be(openbao: OpenBao):
    """Read every second for longer than the token lives, it is renewed in time; one that ends says so."""
    openbao.ask("POST", "secret/data/acme/lease", {"data": {"a": "1"}})
    environ, _ = openbao.token_for(ttl="3s", explicit_max_ttl="8s", renewable=True)
    client = VaultClient.of(environ)
    begun = time.monotonic()
    while time.monotonic() - begun < 6:
        assert client.get("secret/data/acme/lease")["data"] == {"a": "1"}
        time.sleep(0.5)
    time.sleep(4)
    with pytest.raises(Stalled) as caught:
        client.get("secret/data/acme/lease")
    assert caught.value.code == "SYN822"


@pytest.mark.parametrize("by", ["token", "role"])
def test_a_token_is_renewed_while_nobody_asks(openbao: OpenBao, by: str):
    """Of a daemon that is idle for longer than its token lives, which it was given, or got by a secret id for one login."""
    openbao.ask("POST", "secret/data/acme/idle", {"data": {"a": "1"}})
    if by == "token":
        environ, _ = openbao.token_for(ttl="3s", explicit_max_ttl="60s", renewable=True)
    else:
        environ = openbao.role("idle", token_ttl="3s", token_max_ttl="60s", secret_id_num_uses=1)
    client = VaultClient.of(environ)
    assert client.get("secret/data/acme/idle")["data"] == {"a": "1"}
    time.sleep(7)

    assert client.get("secret/data/acme/idle")["data"] == {"a": "1"}
    client.close()


def test_a_client_that_is_closed_or_forgotten_leaves_no_thread(openbao: OpenBao):
    """Nobody renews what nobody has."""
    known = set(threading.enumerate())
    closed = VaultClient.of(openbao.token_for(ttl="60s", renewable=True)[0])
    forgotten = VaultClient.of(openbao.token_for(ttl="60s", renewable=True)[0])
    for client in (closed, forgotten):
        client.valid()
    made = {thread for thread in threading.enumerate() if thread.name == "syncline-vault"} - known
    keeper = forgotten._keeper
    assert len(made) == 2
    assert keeper is not None

    closed.close()
    del client, forgotten
    keeper.stir()
    time.sleep(0.5)

    assert not any(thread.is_alive() for thread in made)


def test_a_role_logs_in_again(openbao: OpenBao):
    """Whether its token ended or was revoked at the server, the next read goes through."""
    openbao.ask("POST", "secret/data/acme/again", {"data": {"a": "1"}})
    client = VaultClient.of(openbao.role("again", token_ttl="2s", token_max_ttl="3s"))
    assert client.get("secret/data/acme/again")["data"] == {"a": "1"}
    time.sleep(3.5)
    assert client.get("secret/data/acme/again")["data"] == {"a": "1"}

    assert client._lease is not None
    openbao.ask("POST", "auth/token/revoke", {"token": client._lease.token.reveal()})

    assert client.get("secret/data/acme/again")["data"] == {"a": "1"}


def test_a_refusal_by_policy_costs_no_login(openbao: OpenBao, tmp_path: Path):
    """What we may not read is refused with the token that we have, although the secret id was for one login only."""
    openbao.ask("POST", "secret/data/acme/mine", {"data": {"a": "1"}})
    client = VaultClient.of(openbao.role("narrow", secret_id_num_uses=1))

    assert client.get("secret/data/acme/mine")["data"] == {"a": "1"}
    for _ in range(2):
        with pytest.raises(Stalled, match="permission denied"):
            client.get("secret/data/beta/theirs")

    assert client.get("secret/data/acme/mine")["data"] == {"a": "1"}


def test_a_token_at_its_longest_time_is_followed_by_another(openbao: OpenBao):
    """Renewed up to there, then got anew before the end; all that we logged in for are revoked with the client."""
    openbao.ask("POST", "secret/data/acme/longest", {"data": {"a": "1"}})
    before = openbao.tokens()
    client = VaultClient.of(openbao.role("longest", token_ttl="4s", token_max_ttl="6s"))
    seen = {}
    begun = time.monotonic()
    while time.monotonic() - begun < 9:
        assert client.get("secret/data/acme/longest")["data"] == {"a": "1"}
        seen[client.valid().token.reveal()] = True
        time.sleep(0.3)

    assert len(seen) in {2, 3}
    client.close()
    assert openbao.tokens() <= before


def test_a_login_that_may_not_be_repeated_is_used_to_its_end(openbao: OpenBao):
    """Where the secret id is used up, the token serves until it ends, and only then is there an error."""
    openbao.ask("POST", "secret/data/acme/last", {"data": {"a": "1"}})
    environ = openbao.role("last", token_ttl="4s", token_max_ttl="4s", secret_id_num_uses=1)
    client = VaultClient.of(environ)
    begun = time.monotonic()
    while time.monotonic() - begun < 3:
        assert client.get("secret/data/acme/last")["data"] == {"a": "1"}
        time.sleep(0.3)
    time.sleep(1.5)

    with pytest.raises(Stalled) as caught:
        client.get("secret/data/acme/last")
    assert caught.value.code == "SYN822"


def test_a_process_leaves_no_token_behind(openbao: OpenBao, tmp_path: Path):
    """A program that opened a ring whose key is in transit, and closed nothing, has its token revoked as it ends."""
    folder, environ = tmp_path / "keys", openbao.role("leaving")
    blob = KeyRing.open(folder).seal("acme", b"plain", "p")
    rotate(Where(folder, environ), "vault:transit/leaving")
    before = openbao.tokens()
    program = (
        "import os, sys; from pathlib import Path; from syncline.secrets.keys.ring import KeyRing\n"
        "ring = KeyRing.open(Path(sys.argv[1]), os.environ)\n"
        "sys.stdout.buffer.write(ring.unseal('acme', bytes.fromhex(sys.argv[2]), 'p'))"
    )

    command = [sys.executable, "-c", program, str(folder), blob.hex()]
    done = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, check=False)

    assert (done.stdout, done.stderr) == (b"plain", b"")
    assert openbao.tokens() <= before


def test_a_login_is_ended_with_what_it_was_made_for(openbao: OpenBao, tmp_path: Path):
    """The token of a role is revoked when whoever resolves secrets is done; one that was given stays; all share one."""
    openbao.ask("POST", "secret/data/acme/out", {"data": {"a": "1"}})
    ref = SecretRef.model_validate({"secretRef": {"provider": "vault", "key": "secret/acme/out", "path": "a"}})

    def tokens(environ: dict[str, str]) -> tuple[str, str]:
        """The tokens with which two resolvers of one keep have read."""
        settings = read_settings(tmp_path, environ)
        with Keep() as keep:
            found = []
            for _ in range(2):
                assert resolver(settings, keep)(ref, "acme").reveal() == "1"
                sessions = keep.shared(Sessions)
                assert sessions is not None
                lease = sessions.of(VaultClient, lambda: VaultClient.of(environ))._lease
                assert lease is not None
                found.append(lease.token.reveal())
        return found[0], found[1]

    first, second = tokens(openbao.role("out", secret_id_num_uses=1))
    assert first == second
    with pytest.raises(urllib.error.HTTPError):
        openbao.ask("POST", "auth/token/lookup", {"token": first})
    given, _ = tokens(openbao.token_for(ttl="60s")[0])
    assert openbao.ask("POST", "auth/token/lookup", {"token": given})["data"]["ttl"] > 0


def test_a_secret_is_replaced_with_a_window(openbao: OpenBao, tmp_path: Path):
    """Other fields stay as they are; both values count until the end."""
    openbao.ask("POST", "secret/data/acme/window", {"data": {"token": "one", "url": "u"}})
    where = Context(tmp_path, openbao.role("writer"))
    reference = Reference("vault", "secret/acme/window", "token")

    assert replace(reference, Secret("two"), where)
    assert [secret.reveal() for secret in accepted(reference, where)] == ["two", "one"]
    assert finish(reference, where)
    assert openbao.ask("GET", "secret/data/acme/window")["data"]["data"] == {"token": "two", "url": "u"}


def test_a_server_that_is_sealed_is_tried_again(openbao: OpenBao, tmp_path: Path, tmp_path_factory):
    """A sealed server is a passing trouble, and the message says so."""
    from tests.peers.systems.openbao import openbao as another

    with another(tmp_path_factory.mktemp("sealed")) as server:
        where = Context(tmp_path, server.role("sealed"))
        server.ask("PUT", "sys/seal")
        with pytest.raises(Again, match="sealed") as caught:
            resolve(Reference("vault", "secret/acme/crm", "token"), where)
    assert caught.value.code == "SYN820"


def replace_sessions(where: Context) -> Context:
    return Context(where.root, where.environ)


def test_an_only_field_without_a_name_is_not_replaced(openbao: OpenBao, tmp_path: Path):
    """It is refused, the secret stays as it was and can be read; set, it is replaced at once."""
    openbao.ask("POST", "secret/data/acme/only", {"data": {"token": "old"}})
    where = Context(tmp_path, openbao.role("only"))
    reference = Reference("vault", "secret/acme/only")

    with pytest.raises(Invalid) as caught:
        replace(reference, Secret("new"), where)

    assert caught.value.code == "SYN828"
    assert [secret.reveal() for secret in accepted(reference, where)] == ["old"]
    writer(reference, where).put(reference, Secret("new"))
    assert openbao.ask("GET", "secret/data/acme/only")["data"]["data"] == {"token": "new"}
