"""Every secret provider, and the one way from a reference to a secret."""

from __future__ import annotations

import difflib
from typing import Final

from syncline.model.diagnostic import Diagnostic
from syncline.model.errors import Invalid
from syncline.model.secret import Secret
from syncline.secrets.aws import AwsProvider
from syncline.secrets.command import CommandProvider
from syncline.secrets.contract import (
    Context,
    LeasingProvider,
    Problem,
    Reference,
    SecretProvider,
    SecretWriter,
    Until,
)
from syncline.secrets.env import EnvProvider
from syncline.secrets.file import FileProvider
from syncline.secrets.keyring import KeyringProvider
from syncline.secrets.pkcs11 import Pkcs11Provider
from syncline.secrets.sops_file import SopsProvider
from syncline.secrets.vault import VaultProvider
from syncline.secrets.vault_dynamic import VaultDynamicProvider

#: Those that can be written to, too.
_WRITERS: Final[tuple[type[SecretWriter], ...]] = (
    SopsProvider,
    FileProvider,
    VaultProvider,
    AwsProvider,
    KeyringProvider,
    Pkcs11Provider,
)
PROVIDERS: Final[tuple[type[SecretProvider], ...]] = (
    EnvProvider,
    SopsProvider,
    CommandProvider,
    *_WRITERS[1:],
    VaultDynamicProvider,
)
#: Those whose secrets are made for who asks, and end.
_LEASING: Final[tuple[type[LeasingProvider], ...]] = (VaultDynamicProvider,)
WRITABLE: Final = frozenset(provider.name for provider in _WRITERS)


def resolve(reference: Reference, context: Context) -> Secret:
    """Return the secret that a reference names.

    Raises Invalid for a provider or key that cannot be, Unavailable (a Stalled) when the secret cannot be had. No error
    holds a value.
    """
    provider = _provider(reference, context)
    problem = provider.check(reference)
    if problem is not None and problem.code == "SYN804":
        raise _invalid(reference, problem)
    return provider.get(reference)


def until(reference: Reference, context: Context) -> Until | None:
    """Until when a secret holds that was just resolved with these sessions; None for one that has no end of its own."""
    for provider in _LEASING:
        if provider.name == reference.provider:
            return provider(context).until(reference)
    return None


def writer(reference: Reference, context: Context) -> SecretWriter:
    """The provider of a reference, to write to; raises Invalid (SYN828) for one that can only be read, or a part."""
    _provider(reference, context)  # refuses what is none
    for provider in _WRITERS:
        if provider.name == reference.provider:
            made = provider(context)
            problem = made.check(reference)
            if problem is not None and problem.code == "SYN804":
                raise _invalid(reference, problem)
            if _is_part(reference):
                part = Problem("SYN828", "a part of a document can't be written alone", "Write the whole of it.")
                raise _invalid(reference, part)
            return made
    problem = Problem(
        "SYN828", f"{reference.provider} can't be written to", f"Those are {', '.join(sorted(WRITABLE))}."
    )
    raise _invalid(reference, problem)


def _is_part(reference: Reference) -> bool:
    """Whether a reference is to a part of a document that can only be written as a whole."""
    if reference.provider == SopsProvider.name:
        return False
    return "." in reference.path if reference.provider == VaultProvider.name else bool(reference.path)


def check(reference: Reference, context: Context) -> Problem | None:
    """Say what would keep `resolve` from working, without reading the value where that can be helped."""
    try:
        return _provider(reference, context).check(reference)
    except Invalid as error:
        return Problem(error.code, error.message, error.help)


def _provider(reference: Reference, context: Context) -> SecretProvider:
    for provider in PROVIDERS:
        if provider.name == reference.provider:
            return provider(context)
    known = [provider.name for provider in PROVIDERS]
    near = difflib.get_close_matches(reference.provider, known, n=1, cutoff=0.4)
    problem = Problem(
        "SYN804", f"there is no secret provider {reference.provider!r}", f"Providers are {', '.join(known)}."
    )
    raise _invalid(reference, problem, near[0] if near else "")


def _invalid(reference: Reference, problem: Problem, suggestion: str = "") -> Invalid:
    message = f"secret {reference}: {problem.message}"
    finding = Diagnostic(problem.code, message, suggestion=suggestion, help=problem.help)
    return Invalid(message, code=problem.code, help=problem.help, diagnostics=(finding,))
