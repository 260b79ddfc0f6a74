"""From a declared integration to an instance that a connector can open: defaults filled in, secrets resolved.

The only place where secret values enter the program. Every use is noted, for the audit log, by name and never by value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from syncline.executor.services.proxies import proxies_of
from syncline.executor.services.tokens import Vault
from syncline.kinds.auth_type import offer_of
from syncline.kinds.base import SecretRef
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.tenant import TenantSpec
from syncline.model import units
from syncline.model.errors import Bug, Invalid, Stalled
from syncline.sdk.clients import Network
from syncline.sdk.http import Egress
from syncline.sdk.limits import Rule
from syncline.sdk.source import Config, Credentials, Instance, plain
from syncline.secrets.contract import Context, Reference, Sessions
from syncline.secrets.provider import resolve
from syncline.secrets.window import former

if TYPE_CHECKING:
    from syncline.kinds.auth import Auth
    from syncline.kinds.auth_details import AuthOffer
    from syncline.manifests.desired import Desired
    from syncline.manifests.flow import Side
    from syncline.model.key import ObjectKey
    from syncline.model.secret import Secret
    from syncline.sdk.auth.tokens import TokenStore
    from syncline.sdk.http import Proxy
    from syncline.sdk.keep import Keep
    from syncline.settings import Settings

#: Gives the value of a reference for a tenant; raises `Stalled`, naming provider and key, where it can't.
Resolve = Callable[[SecretRef, str], "Secret"]


def resolver(settings: Settings, keep: Keep | None = None) -> Resolve:
    """
    Resolves references with the secret providers, from this repository and environment. Logins to stores of secrets are
    shared by all who have the same `keep`, and ended with it.
    """
    sessions = keep.shared_or_made(Sessions, Sessions) if keep is not None else Sessions()

    def value(ref: SecretRef, tenant: str) -> Secret:
        key = ref.secret_ref
        return resolve(Reference(key.provider, key.key, key.path), secret_context(settings, tenant, sessions))

    return value


def secret_context(settings: Settings, tenant: str, sessions: Sessions) -> Context:
    """What providers may look at for a tenant."""
    return Context(settings.root, settings.environ, tenant, settings.home, sessions)


@dataclass(slots=True)
class SecretUses:
    """Names of the secrets that were used: `env:API_TOKEN`."""

    resolve: Resolve
    tenant: str
    names: list[str] = field(default_factory=list)
    #: The secrets of AuthConfigs whose age matters, as they were resolved.
    aged: dict[ObjectKey, Mapping[str, Secret]] = field(default_factory=dict)

    def __call__(self, ref: SecretRef) -> Secret:
        """Resolves a reference and notes its use."""
        value = self.resolve(ref, self.tenant)
        name = f"{ref.secret_ref.provider}:{ref.secret_ref.key}"
        if name not in self.names:
            self.names.append(name)
        return value


def credentials_of(auth: Auth, offer: AuthOffer | None, config: Config, secret: SecretUses) -> Credentials:
    """Credentials of an AuthConfig with what the connector declares of its type, filled from the settings."""
    from syncline.kinds.auth import merged
    from syncline.kinds.auth_details import TEMPLATES

    settings: dict[str, Any] = {}
    secrets: dict[str, Secret] = {}
    for name, value in merged(auth, offer).items():
        match value:
            case SecretRef():
                secrets[name] = secret(value)
            case dict():
                secrets |= {f"{name}.{key}": secret(v) for key, v in value.items() if isinstance(v, SecretRef)}
                settings[name] = {key: v for key, v in value.items() if not isinstance(v, SecretRef)}
            case tuple():
                settings[name] = tuple(v.model_dump() if isinstance(v, BaseModel) else v for v in value)
            case _ if value is not None and name not in {"type", "rotation"}:
                settings[name] = value
    variables = {"config": plain(config)}
    for name in TEMPLATES & settings.keys():
        settings[name] = _filled(settings[name], variables)
    return Credentials(auth.type, settings, secrets)


def former_secrets(auth: Auth, secret: SecretUses) -> dict[str, Secret]:
    """The values of an AuthConfig that were replaced and still count, by the names of their fields."""
    found: dict[str, Secret] = {}
    for name in type(auth).model_fields:
        ref = getattr(auth, name)
        if not isinstance(ref, SecretRef):
            continue
        at = ref.secret_ref
        try:
            beside = former(Reference(at.provider, at.key, at.path))
            key = {"provider": beside.provider, "key": beside.key, "path": beside.path}
            found[name] = secret(SecretRef.model_validate({"secretRef": key}))
        except (Invalid, Stalled):  # there is none, or can't be
            continue
    return found


def _filled(value: Any, variables: Mapping[str, Any]) -> Any:
    from syncline.sdk.auth.scheme import filled

    if isinstance(value, dict):
        return {name: _filled(text, variables) for name, text in value.items()}
    return filled(value, variables) if isinstance(value, str) and "{" in value else value


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


def _network(side: Side, spec: IntegrationSpec, desired: Desired, settings: Settings, secret: SecretUses) -> Network:
    """What the instance may reach, and its HTTP client uses: by the tenant whose flow it is, not by who owns it."""
    tenant = secret.tenant
    owner = side.integration.key.tenant
    account = f"{owner or '-'}/{spec.limits.account or side.integration.key.name}"
    connector = side.connector.spec
    web = isinstance(connector, ConnectorSpec) and connector.http is not None
    proxies = proxies_of(spec.proxy, settings, secret) if web else ()
    return network_of(account, desired, settings, tenant, proxies)


def network_of(
    account: str, desired: Desired, settings: Settings, tenant: str, proxies: tuple[Proxy, ...] = ()
) -> Network:
    """What may be reached and used for a tenant, counted for an account."""
    declared = desired.find("", "Tenant", tenant) if tenant else None
    if declared is None or not isinstance(declared.spec, TenantSpec):
        egress = Egress(private=settings.egress_private, literals=not tenant)
        return Network(account, tenant, None, egress, proxies)
    bounds, quota = declared.spec.egress, declared.spec.quotas.requests
    egress = Egress(bounds.allow, bounds.private + settings.egress_private, bounds.deny, literals=False)
    # A database is where manifests say, unless the tenant says anything of what its flows may reach.
    databases = egress if bounds.allow or bounds.private or bounds.deny else None
    return Network(account, tenant, Rule(*units.rate(quota)) if quota else None, egress, proxies, databases)


def spool_quota(desired: Desired, tenant: str) -> int | None:
    """Most bytes of disk that a tenant's quota allows; None where nothing bounds it."""
    declared = desired.find("", "Tenant", tenant) if tenant else None
    quota = declared.spec.quotas.spool if declared is not None and isinstance(declared.spec, TenantSpec) else None
    return units.size(quota) if quota is not None else None


def _unheard(text: str) -> None:
    del text


def instance_of(
    side: Side,
    desired: Desired,
    settings: Settings,
    secret: SecretUses,
    count: Callable[[str, float], None],
    keep: Keep | None = None,
    notice: Callable[[str], None] = _unheard,
) -> Instance:
    """The instance of one side of a flow."""
    spec, connector = side.integration.spec, side.connector.spec
    if not isinstance(spec, IntegrationSpec) or not isinstance(connector, ConnectorSpec):
        msg = f"{side.integration.key} has no integration spec"
        raise Bug(msg)
    credentials, config = Credentials(), _config(spec, connector, secret)
    tokens: Callable[[str], TokenStore] | None = None
    if spec.auth:
        from syncline.kinds.auth import AuthConfigSpec

        declared = desired.find(side.integration.key.tenant, "AuthConfig", spec.auth)
        if declared is None or not isinstance(declared.spec, AuthConfigSpec):
            msg = f"{side.integration.key} names an AuthConfig that isn't there"
            raise Bug(msg)
        auth = declared.spec.root
        credentials = credentials_of(auth, offer_of(connector.auth, auth.type), config, secret)
        if auth.rotation is not None and auth.rotation.fallback:
            credentials = replace(credentials, former=former_secrets(auth, secret))
        if auth.rotation is not None and declared.key.tenant == secret.tenant:
            secret.aged[declared.key] = credentials.secrets
        vault = (keep.shared(Vault) if keep is not None else None) or Vault.opening(settings)
        tokens = partial(vault.tokens, declared.key.tenant, declared.key.name)
    return Instance(
        network=_network(side, spec, desired, settings, secret),
        name=side.integration.key.name,
        connector=connector,
        integration=spec,
        config=config,
        root=settings.root,
        credentials=credentials,
        region=side.region,
        count=count,
        notice=notice,
        keep=keep,
        home=settings.home,
        tokens=tokens,
        spool=spool_quota(desired, secret.tenant),
    )
