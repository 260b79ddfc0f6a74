"""Ways of authenticating by name, and what a connector accepts of them."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from syncline.kinds.auth_details import AuthOffer

AuthType = Literal[
    "api_key", "basic", "bearer", "oauth2", "oauth1", "session", "aws_sigv4", "hmac", "http_signature", "jwt", "mtls",
    "ssh", "none",
]  # fmt: skip


def offered_types(offers: "tuple[AuthType | AuthOffer, ...]") -> tuple[AuthType, ...]:
    """The types of AuthConfig that a connector accepts, in its order."""
    return tuple(offer if isinstance(offer, str) else offer.type for offer in offers)


def offer_of(offers: "tuple[AuthType | AuthOffer, ...]", wanted: str) -> "AuthOffer | None":
    """What a connector declares about a type; None where it only names it."""
    return next((offer for offer in offers if not isinstance(offer, str) and offer.type == wanted), None)
