"""Settings: read once from the environment at the edge, frozen, passed down. There is no other configuration.

| variable       | meaning                                                      | default                        |
|----------------|--------------------------------------------------------------|--------------------------------|
| SYNCLINE_STATE | URL of the state store (`sqlite:///…` or `postgresql://…`)   | SQLite, `.syncline/state.db`   |
| SYNCLINE_HOME  | folder for state, keys and the audit log                     | `.syncline` in the root        |
| SYNCLINE_ACTOR | who acts, as is claimed, for the audit log                   | the user's account name        |

`SYNCLINE_ENVIRONMENT` is the environment, of a repository that declares several; `--environment` wins over it.
`SYNCLINE_REDIS` is the URL of a Redis server (`redis://…`) that keeps the budgets of requests which processes share;
without it, the state does. `SYNCLINE_EGRESS_PRIVATE` lists private networks and hosts, with commas between, that every
flow may reach, as if each tenant named them in `spec.egress.private`; by default there are none. `SYNCLINE_WITNESSES`
is the file that says which witnesses have to cosign the audit log; by default `witnesses.policy` in the root;
`SYNCLINE_WITNESSES_CA` a file of the only authorities that they are known by, where it isn't the machine's.

Places of keys and secrets have variables of their own, under the names that their owners gave them: `hsm.py`
(`SYNCLINE_PKCS11_MODULE`, `SYNCLINE_PKCS11_PIN`), `audit/log_signer.py` (`SYNCLINE_AUDIT_SIGNER`),
`secrets/vault_client.py` (`VAULT_…`), `secrets/aws.py` (`AWS_…`), `secrets/command.py` (`SYNCLINE_SECRET_COMMANDS`).

`SYNCLINE_PROXY=environment` has the usual variables `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` apply to every
integration that declares no proxy itself; without it they are ignored, since the manifests are the truth. With
`SYNCLINE_PROXY_LOOKUP=proxy` that proxy is told names, and looks them up; by default it is told checked addresses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from syncline.model.account import account
from syncline.model.errors import Invalid

HOME = ".syncline"
WITNESSES = "witnesses.policy"


@dataclass(frozen=True, slots=True)
class Settings:
    """
    Where everything is. `root` is the configuration repository; relative paths in manifests start from it.

    `environment` is the one that is meant, of a repository that declares some; '' of one that doesn't. `runs_from` is
    the folder that they start from once it is applied, where `root` has only the tree of a commit.
    """

    root: Path
    home: Path
    state_url: str
    actor: str
    environ: Mapping[str, str]
    egress_private: tuple[str, ...] = ()
    environment: str = ""
    redis: str = field(default="", repr=False)  # it may hold a password
    proxy: str = ""
    proxy_lookup: str = "here"
    runs_from: Path | None = None

    @property
    def start(self) -> Path:
        """The folder that relative paths start from when flows run."""
        return self.runs_from or self.root

    @property
    def witnesses(self) -> Path:
        """The witness policy (C2SP tlog-policy); a file that may not be there."""
        return self.root / (self.environ.get("SYNCLINE_WITNESSES") or WITNESSES)

    @property
    def audit(self) -> Path:
        """Folder of the audit log."""
        return self.home / "audit"

    @property
    def keys(self) -> Path:
        """Folder of the key-encryption key, the tenants' data keys and the audit signer's key."""
        return self.home / "keys"


def read_settings(root: Path, environ: Mapping[str, str], environment: str = "") -> Settings:
    """Settings for a repository, and one of its environments; `Invalid` when its folder doesn't exist."""
    root = root.resolve()
    if not root.is_dir():
        raise Invalid(f"{root} is not a folder", code="SYN115", help="Give the folder of a configuration repository.")
    home = Path(environ.get("SYNCLINE_HOME") or root / HOME)
    home = (home if home.is_absolute() else root / home).resolve()
    return Settings(
        root=root,
        home=home,
        state_url=environ.get("SYNCLINE_STATE") or f"sqlite:///{home / 'state.db'}",
        actor=environ.get("SYNCLINE_ACTOR") or account(),
        environ=environ,
        environment=environment or environ.get("SYNCLINE_ENVIRONMENT", ""),
        redis=environ.get("SYNCLINE_REDIS", ""),
        proxy=environ.get("SYNCLINE_PROXY", ""),
        proxy_lookup=environ.get("SYNCLINE_PROXY_LOOKUP") or "here",
        egress_private=tuple(filter(None, map(str.strip, environ.get("SYNCLINE_EGRESS_PRIVATE", "").split(",")))),
    )
