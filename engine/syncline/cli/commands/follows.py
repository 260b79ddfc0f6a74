"""What `syncline serve` follows of a Git repository, and how it gets in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

if TYPE_CHECKING:
    from syncline.daemon.git.access import Access
    from syncline.daemon.git.source import GitSource
    from syncline.settings import Settings

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Follow(Struct, frozen=True):
    """One of branch, tag and commit, a folder, who must have signed, and the names of secrets."""

    branch: str | None
    tag: str | None
    commit: str | None
    path: str
    allowed_signers: Path | None
    openpgp_keys: Path | None
    user: str
    password: str | None
    ssh_key: str | None
    known_hosts: Path | None
    timeout: float

    def of(self, url: str) -> GitSource:
        """The source at a URL."""
        from syncline.daemon.git.source import GitSource

        return GitSource(
            url=url,
            branch=self.branch or "main",
            tag=self.tag or "",
            commit=self.commit or "",
            path=self.path,
            allowed_signers=self.allowed_signers,
            openpgp_keys=self.openpgp_keys,
        )

    def access(self, settings: Settings) -> Access:
        """How to get in. Secrets are looked for when they are needed, relative to the daemon's own folder."""
        from syncline.daemon.git.access import Access
        from syncline.secrets.contract import Context, Reference

        return Access(
            context=Context(settings.root, settings.environ, home=settings.home),
            user=self.user,
            password=Reference.parse(self.password) if self.password else None,
            ssh_key=Reference.parse(self.ssh_key) if self.ssh_key else None,
            known_hosts=self.known_hosts.resolve() if self.known_hosts else None,
        )


def follows(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of what is followed, as `follow`."""

    @click.option("--branch", metavar="NAME", help="The branch to follow; `main` by default.")
    @click.option("--tag", metavar="NAME", help="Follow this tag instead of a branch, also when it moves.")
    @click.option("--commit", metavar="ID", help="Stay at this commit (all of its digits).")
    @click.option("--path", default="", metavar="FOLDER", help="Folder of the configuration in the repository.")
    @click.option(
        "--allowed-signers",
        type=_FILE,
        metavar="FILE",
        help="Apply only commits that somebody in this file signed (ssh-keygen's allowed signers).",
    )
    @click.option(
        "--openpgp-keys",
        type=_FILE,
        metavar="FILE",
        help="Apply only commits that a key in this file signed (as gpg --export writes it), or an allowed signer.",
    )
    @click.option("--user", default="", metavar="NAME", help="Whose --password it is; servers of tokens take any.")
    @click.option(
        "--password",
        metavar="PROVIDER:KEY",
        help="Secret that an https URL is read with, such as env:GIT_TOKEN: its name, never its value.",
    )
    @click.option(
        "--ssh-key",
        metavar="PROVIDER:KEY",
        help="Secret that is the private key for an SSH URL, such as file:/run/secrets/deploy-key.",
    )
    @click.option(
        "--known-hosts", type=_FILE, metavar="FILE", help="Keys of SSH servers, in place of the account's known_hosts."
    )
    @click.option(
        "--fetch-timeout",
        "timeout",
        type=click.FloatRange(1),
        default=120.0,
        show_default=True,
        metavar="SECONDS",
        help="After which a fetch is given up and tried again later.",
    )
    @wraps(command)
    def collected(*args: Any, **options: Any) -> Any:
        follow = Follow(**{name: options.pop(name) for name in Follow.__struct_fields__})
        if sum(value is not None for value in (follow.branch, follow.tag, follow.commit)) > 1:
            raise click.UsageError("Give one of --branch, --tag and --commit.")
        if follow.user and not follow.password:
            raise click.UsageError("--user goes with --password.")
        return command(*args, follow=follow, **options)

    return collected
