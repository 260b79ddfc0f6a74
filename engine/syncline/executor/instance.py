"""From a declared integration to an instance that a connector can open: defaults filled in, secrets resolved.

The only place where secret values enter the program. Every use is noted, for the audit log, by name and never by value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from syncline.kinds.auth import ApiKeyAuth, AuthConfigSpec, BasicAuth, BearerAuth
from syncline.kinds.base import SecretRef
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.model.errors import Bug, Stalled
from syncline.sdk.source import Credentials, Instance
from syncline.secrets.contract import Context, Reference
from syncline.secrets.provider import resolve

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.manifests.flow import Side
    from syncline.model.secret import Secret
    from syncline.sdk.keep import Keep
    from syncline.settings import Settings

#: Gives the value of a reference for a tenant; raises `Stalled`, naming provider and key, where it can't.
Resolve = Callable[[SecretRef, str], "Secret"]


def resolver(settings: Settings) -> Resolve:
    """Resolves references with the secret providers, from this repository and environment."""

    def value(ref: SecretRef, tenant: str) -> Secret:
        key = ref.secret_ref
        context = Context(settings.root, settings.environ, tenant, settings.home)
        return resolve(Reference(key.provider, key.key, key.path), context)

    return value


@dataclass(slots=True)
class SecretUses:
    """Names of the secrets that were used: `env:API_TOKEN`."""

    resolve: Resolve
    tenant: str
    names: list[str] = field(default_factory=list)

    def __call__(self, ref: SecretRef) -> Secret:
        """Resolves a reference and notes its use."""
        value = self.resolve(ref, self.tenant)
        name = f"{ref.secret_ref.provider}:{ref.secret_ref.key}"
        if name not in self.names:
            self.names.append(name)
        return value


def _credentials(auth: object, secret: SecretUses) -> Credentials:
    match auth:
        case ApiKeyAuth():
            settings = {"in": auth.location, "name": auth.name, "prefix": auth.prefix}
            return Credentials("api_key", settings, {"value": secret(auth.value)})
        case BasicAuth(username=str() as username):
            return Credentials("basic", {"username": username}, {"password": secret(auth.password)})
        case BasicAuth(username=SecretRef() as username):
            return Credentials("basic", {}, {"username": secret(username), "password": secret(auth.password)})
        case BearerAuth():
            return Credentials("bearer", {}, {"token": secret(auth.token)})
        case _:
            pass
    raise Stalled(
        "this version doesn't run OAuth 2.0 yet",
        code="SYN703",
        help="Use an API key, a bearer token or basic authentication.",
    )


def _config(
    spec: IntegrationSpec, connector: ConnectorSpec, secret: SecretUses
) -> dict[str, str | int | float | bool | Secret]:
    config: dict[str, str | int | float | bool | Secret] = {
        name: prop.default
        for name, prop in connector.config.properties.items()
        if isinstance(prop.default, str | int | float | bool)
    }
    config.update({name: secret(v) if isinstance(v, SecretRef) else v for name, v in spec.config.items()})
    return config


def instance_of(
    side: Side,
    desired: Desired,
    settings: Settings,
    secret: SecretUses,
    count: Callable[[str, float], None],
    keep: Keep | None = None,
) -> Instance:
    """The instance of one side of a flow."""
    spec, connector = side.integration.spec, side.connector.spec
    if not isinstance(spec, IntegrationSpec) or not isinstance(connector, ConnectorSpec):
        msg = f"{side.integration.key} has no integration spec"
        raise Bug(msg)
    credentials = Credentials()
    if spec.auth:
        declared = desired.find(side.integration.key.tenant, "AuthConfig", spec.auth)
        if declared is None or not isinstance(declared.spec, AuthConfigSpec):
            msg = f"{side.integration.key} names an AuthConfig that isn't there"
            raise Bug(msg)
        credentials = _credentials(declared.spec.root, secret)
    return Instance(
        name=side.integration.key.name,
        connector=connector,
        integration=spec,
        config=_config(spec, connector, secret),
        root=settings.root,
        credentials=credentials,
        region=side.region,
        count=count,
        keep=keep,
        home=settings.home.resolve(),
    )
