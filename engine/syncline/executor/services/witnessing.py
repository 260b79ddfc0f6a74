"""Has the audit log cosigned by the witnesses of its policy, over HTTP. Recording doesn't wait for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from syncline import __version__
from syncline.audit import checkpoint as checkpoints
from syncline.audit import cosigning, tiles, witness_policy
from syncline.audit.cosigning import Cosigned, Post, Unreachable, verify_cosigned
from syncline.audit.fetch import DirectoryFetcher
from syncline.audit.log_signer import log_verifier
from syncline.audit.malformed import Malformed
from syncline.audit.witness_policy import WitnessPolicy
from syncline.executor.services.proxies import environment_proxies
from syncline.model.errors import Again, Denied, Invalid, Stalled
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Request, Tls, TransportError
from syncline.sdk.http.authorities import named_authorities

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncline.audit.note import VerifierKey
    from syncline.settings import Settings

#: Seconds within which a witness must answer.
TIMEOUT: Final = 10.0
#: Largest answer that is read, in bytes.
_MAX_ANSWER: Final = 64 * 1024


def read_policy(settings: Settings) -> WitnessPolicy | None:
    """The witness policy that is declared; None where there is no such file. `Invalid` (SYN906) for one that isn't."""
    path = settings.witnesses
    if not path.is_file():
        if settings.environ.get("SYNCLINE_WITNESSES"):
            raise Invalid(f"{path}, which SYNCLINE_WITNESSES names, is no file", code="SYN906")
        return None
    try:
        return witness_policy.parse(path.read_bytes())
    except Malformed as error:
        raise Invalid(f"{path}: {error}", code="SYN906", help="See https://c2sp.org/tlog-policy.") from None


def log_key(settings: Settings) -> VerifierKey:
    """The public half of the key that signs this home's log."""
    return log_verifier(settings)


def cosigned_newest(settings: Settings, policy: WitnessPolicy) -> bool:
    """Whether the log as it is now is cosigned as demanded."""
    fetcher = DirectoryFetcher(settings.audit)
    try:
        key = log_key(settings)
        head, _ = verify_cosigned(fetcher.fetch(tiles.COSIGNED), [key], policy)
        return head == checkpoints.verify(fetcher.fetch(tiles.CHECKPOINT), key.name, [key])
    except (OSError, Malformed):
        return False


def cosign(settings: Settings, key: VerifierKey, policy: WitnessPolicy) -> Cosigned:
    """
    Asks the witnesses, and keeps what they signed beside the log.

    `Stalled` (SYN907) where one has seen another log, whatever the others say; nothing is kept then.
    """
    with _posting(settings, policy) as post:
        found = cosigning.cosign(DirectoryFetcher(settings.audit), key, policy, post)
    for asked in found.asked:
        if asked.refused:
            raise Stalled(
                f"the witness {asked.witness.name} doesn't cosign this audit log: {asked.problem}",
                code="SYN907",
                help="Find out which copy of the log is the true one, and who can write to this one.",
            )
    if any(asked.time is not None for asked in found.asked):
        cosigning.keep(settings.audit, found)
    return found


def demand(found: Cosigned, policy: WitnessPolicy) -> None:
    """`Again` (SYN908) unless enough witnesses cosigned."""
    if not found.met:
        problems = "; ".join(f"{asked.witness.name}: {asked.problem}" for asked in found.asked if asked.problem)
        raise Again(
            f"{found.checkpoint.size:,} entries are not cosigned as demanded ({policy.demand()}): {problems}",
            code="SYN908",
            help="They are signed all the same. Try again later.",
        )


@contextmanager
def _posting(settings: Settings, policy: WitnessPolicy) -> Iterator[Post]:
    """Posts to the hosts that the policy names: whoever wrote a private address in it meant it."""
    hosts = [urlsplit(witness.url).hostname or "" for witness in policy.witnesses if witness.url]
    egress = Egress(private=settings.egress_private).declaring(hosts)
    tls = Tls(ca=named_authorities(settings.environ, "SYNCLINE_WITNESSES_CA"))
    transport = HttpTransport(SystemClock(), _MAX_ANSWER, egress=egress, tls=tls, proxies=environment_proxies(settings))
    try:
        yield _poster(transport)
    finally:
        transport.close()


def _poster(transport: HttpTransport) -> Callable[[str, bytes], tuple[int, bytes]]:
    headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": f"syncline/{__version__}"}

    def post(url: str, body: bytes) -> tuple[int, bytes]:
        try:
            answer = transport.send(Request("POST", url, headers, body), TIMEOUT)
        except TransportError as error:
            raise Unreachable(str(error)) from error
        except (Denied, Invalid) as error:
            raise Unreachable(f"{error.code} {error.message}") from error
        return answer.status, answer.body

    return post
