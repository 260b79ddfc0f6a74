"""What every manifest has around its spec: Kubernetes' envelope, closed."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from syncline.kinds.base import Name, Spec

API_VERSION: Final = "syncline/v1"

#: Kubernetes' label keys: an optional DNS prefix, and a name.
LabelKey = Annotated[
    str, Field(pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")
]
LabelValue = Annotated[str, Field(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")]


class MovedFrom(Spec):
    """The name that the object had before."""

    name: Annotated[Name, Field(description="Name that it had before.")]
    tenant: Annotated[
        Name | None, Field(description="Tenant that it had before; it must be the same, so it is best left out.")
    ] = None


class Metadata(Spec):
    """Who the object is."""

    name: Annotated[
        Name, Field(description="Unique among the tenant's objects of the kind (of a Connector: with its version).")
    ]
    tenant: Annotated[Name | None, Field(description="Whose it is; shared by all tenants when absent.")] = None
    labels: Annotated[
        dict[LabelKey, LabelValue], Field(default_factory=dict, description="For selecting, listing and policies.")
    ]
    annotations: Annotated[dict[LabelKey, str], Field(default_factory=dict, description="Notes for people and tools.")]
    moved: Annotated[
        MovedFrom | None, Field(description="The former name, so that cursors and history follow a rename.")
    ] = None
    environments: Annotated[
        tuple[Name, ...],
        Field(min_length=1, description="The only environments that it is in; in every one when absent."),
    ] = ()
    protected: Annotated[bool, Field(description="Refuses to be deleted as long as it is applied with this.")] = False


class Envelope(Spec):
    """A manifest. What `spec` holds is the kind's own."""

    api_version: Literal["syncline/v1"]
    kind: Annotated[str, Field(description="What is declared.")]
    metadata: Metadata
    spec: Annotated[dict[str, Any], Field(description="The declaration itself.")]
