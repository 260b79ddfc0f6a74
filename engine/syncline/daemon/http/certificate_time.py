"""From when until when a certificate holds that we show, and what is to be said of it by now."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from pathlib import Path

#: How long before its end a certificate is spoken of: as credentials are, unless they say otherwise (`rotation.warn`).
_WARN: Final = dt.timedelta(days=14)
#: Of one that doesn't hold long, this part of its time: who renews it does so with a third or a quarter of it left.
_LATE: Final = 5


class CertificateTime(Struct, frozen=True):
    """When a certificate and all of its chain hold. `chain`: it is one of the chain that ends first."""

    begins: dt.datetime
    ends: dt.datetime
    chain: bool = False

    def problem(self, file: Path, now: dt.datetime) -> str:
        """
        Why who connects refuses it, or will before long; '' where that is far off.

        >>> from pathlib import Path
        >>> year = [dt.datetime(2026 + n, 1, 1, tzinfo=dt.UTC) for n in range(2)]
        >>> CertificateTime(*year).problem(Path("tls.crt"), dt.datetime(2026, 12, 30, tzinfo=dt.UTC))
        'the certificate in tls.crt ends in 2 days, at 2027-01-01T00:00Z'
        """
        what = f"{'a certificate of the chain' if self.chain else 'the certificate'} in {file}"
        if now < self.begins:
            return f"the certificate in {file} isn't valid before {_shown(self.begins)}, and is refused by who connects"
        left = self.ends - now
        if left < dt.timedelta():
            return f"{what} has ended at {_shown(self.ends)}, and is refused by who connects"
        if left > min(_WARN, (self.ends - self.begins) / _LATE):
            return ""
        days = f"{left.days} days" if left.days > 1 else f"{left / dt.timedelta(hours=1):.0f} h"
        return f"{what} ends in {days}, at {_shown(self.ends)}"


def time_of(pem: bytes) -> CertificateTime | None:
    """When the certificates of a PEM file hold, of which the first is shown; None where these can't be read."""
    from cryptography.x509 import load_pem_x509_certificates

    try:
        own, *chain = load_pem_x509_certificates(pem)
    except ValueError:  # stricter than what shows it
        return None
    ends = min(one.not_valid_after_utc for one in (own, *chain))
    begins = max(one.not_valid_before_utc for one in (own, *chain))
    return CertificateTime(begins, ends, chain=ends < own.not_valid_after_utc)


def _shown(time: dt.datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%MZ}"
