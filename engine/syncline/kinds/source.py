"""Source: another Git repository that the daemon follows, and what may be declared there."""

from typing import Annotated

from pydantic import Field

from syncline.kinds.base import Duration, Form, Name, SecretRef, Spec
from syncline.kinds.tls import Tls
from syncline.model.kind import Kind

KindName = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]+$"), Form("The name of a kind: Sync.")]
Object = Annotated[
    str,
    Field(pattern=r"^([a-z0-9][-a-z0-9]*/)?[A-Z][A-Za-z]+/[a-z0-9][-a-z0-9]*(@[0-9][^\s/]*)?$"),
    Form("TENANT/KIND/NAME, or KIND/NAME of what is shared."),
]


class Declares(Spec):
    """What a source may declare; everything else in it is refused."""

    tenants: Annotated[tuple[Name, ...], Field(description="Tenants whose objects it may declare.")] = ()
    kinds: Annotated[
        tuple[KindName, ...], Field(description="Kinds of their objects; empty: every kind of a tenant but Policy.")
    ] = ()
    shared: Annotated[
        tuple[KindName, ...],
        Field(description="Kinds of objects that belong to no tenant, such as Connector; empty: none."),
    ] = ()


class Transfer(Spec):
    """Objects that go from one source to another, with position and history; exactly one of `from` and `to`."""

    objects: Annotated[tuple[Object, ...], Field(min_length=1, description="What goes.")]
    from_: Annotated[
        Name | None,
        Field(alias="from", description="The source that has had them; main is the repository of this object."),
    ] = None
    to: Annotated[
        Name | None, Field(description="The source that gets them; main is the repository of this object.")
    ] = None


class SourceSpec(Spec):
    """
    A repository that `syncline serve` follows beside its own. It is declared in the repository that the daemon was
    started with, which is called main.
    """

    url: Annotated[
        str, Field(min_length=1, description="An https:// or ssh:// URL, user@host:path, or an absolute path.")
    ]
    branch: Annotated[str | None, Field(description="Branch that is followed; main unless a tag or commit is.")] = None
    tag: Annotated[str | None, Field(description="Tag that is followed, also when it moves.")] = None
    commit: Annotated[str | None, Field(description="Commit that is stayed at: all of its digits.")] = None
    path: Annotated[str, Field(description="Folder of the configuration in the repository.")] = ""
    user: Annotated[str, Field(description="Whose password it is, at an https URL.")] = ""
    password: Annotated[SecretRef | None, Field(description="Password or token for an https URL.")] = None
    ssh_key: Annotated[SecretRef | None, Field(description="Private key for SSH, without a passphrase.")] = None
    tls: Annotated[
        Tls, Field(description="What differs from TLS 1.3 with the daemon's authorities, at an https URL.")
    ] = Tls.model_construct()
    known_hosts: Annotated[
        tuple[str, ...], Field(description="Lines of known_hosts: keys of its SSH server. Empty: the account's.")
    ] = ()
    allowed_signers: Annotated[
        tuple[str, ...],
        Field(description="Lines of ssh-keygen's allowed signers. If there are any, only commits they signed count."),
    ] = ()
    openpgp_keys: Annotated[
        tuple[str, ...],
        Field(
            description="OpenPGP public keys in their armour. If there are any, commits that they signed count, too."
        ),
    ] = ()
    timeout: Annotated[Duration, Field(description="Longest time that a fetch may take.")] = "2m"
    declares: Annotated[Declares, Field(description="What may be declared there.")]
    transfers: Annotated[
        tuple[Transfer, ...], Field(description="Objects that this source takes from another, or gives to one.")
    ] = ()


KIND = Kind(
    name="Source",
    plural="sources",
    spec=SourceSpec,
    scope="shared",
    order=1,
    summary="Another Git repository that the daemon follows, and what may be declared there.",
    example="""\
apiVersion: syncline/v1
kind: Source
metadata: {name: acme-team}
spec:
  url: https://git.example.com/acme/flows.git
  password: {secretRef: {provider: env, key: ACME_GIT_TOKEN}}
  declares: {tenants: [acme]}
""",
)
