# mypy: ignore-errors
"""
An API of three pages whose requests are checked by libraries, each for a way of signing them: `/hawk` by mohawk, `/cavage` by
httpsig (draft-cavage-http-signatures), `/rfc9421` by http-message-signatures.

Run as `python signatures_server.py SETTINGS`, in an environment that has them. SETTINGS is JSON: `port`, `id` and `secret` of a
shared key, and `keys`, public keys (PEM) by the names of their algorithms.
"""

import json
import sys
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import mohawk
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms
from http_message_signatures.exceptions import HTTPMessageSignaturesException
from httpsig import HeaderVerifier

SETTINGS = json.loads(Path(sys.argv[1]).read_text())
ADDRESS = f"127.0.0.1:{SETTINGS['port']}"
ALGORITHMS = {
    "ed25519": algorithms.ED25519,
    "ecdsa-p256-sha256": algorithms.ECDSA_P256_SHA256,
    "rsa-pss-sha512": algorithms.RSA_PSS_SHA512,
    "hmac-sha256": algorithms.HMAC_SHA256,
}
NONCES = set()


@dataclass
class Message:
    """What http-message-signatures reads of a request."""

    method: str
    url: str
    headers: dict


class Keys(HTTPSignatureKeyResolver):
    """Keys by the names of their algorithms, which are their ids."""

    def resolve_public_key(self, key_id):
        return SETTINGS["secret"].encode() if key_id == "hmac-sha256" else SETTINGS["keys"][key_id].encode()


def _new(sender, nonce, timestamp):
    used = (nonce, timestamp) in NONCES
    NONCES.add((nonce, timestamp))
    return used


def _known(name):
    if name != SETTINGS["id"]:
        raise LookupError(name)
    return {"id": name, "key": SETTINGS["secret"], "algorithm": "sha256"}


def hawk(request, body):
    """Whether mohawk takes it; nonces are good once."""
    url = f"http://{ADDRESS}{request.path}"
    more = {"seen_nonce": _new, "accept_untrusted_content": True}
    try:
        mohawk.Receiver(_known, request.headers["Authorization"] or "", url, request.command, **more)
    except mohawk.exc.HawkFail as error:
        return str(error)
    return ""


def cavage(request, body):
    """Whether httpsig takes it, over the request's line, host and date, and the digest of a body."""
    required = ["(request-target)", "host", "date"] + (["digest"] if body else [])
    verifier = HeaderVerifier(request.headers, SETTINGS["secret"], required, request.command, request.path)
    return "" if verifier.verify() else "the signature is wrong"


def rfc9421(request, body):
    """Whether http-message-signatures takes it, with all that the third part of the path asks for."""
    algorithm = ALGORITHMS[request.path.split("/")[2]]
    message = Message(request.command, f"http://{ADDRESS}{request.path}", dict(request.headers))
    try:
        checked = {"require_components": ("@method", "@target-uri"), "expect_tag": "syncline"}
        if body:
            checked["body"] = body
        HTTPMessageVerifier(signature_algorithm=algorithm, key_resolver=Keys()).verify(message, **checked)
    except HTTPMessageSignaturesException as error:
        return str(error)
    return ""


class Handler(BaseHTTPRequestHandler):
    """Two items on each of three pages, to those whose signature is taken."""

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        check = {"hawk": hawk, "cavage": cavage, "rfc9421": rfc9421}.get(self.path.split("/")[1])
        wrong = check(self, body) if check else ""
        asked = json.loads(body)["page"] if body else parse_qs(urlsplit(self.path).query).get("page", ["1"])[0]
        rows = [{"id": 2 * int(asked) + n, "name": f"ä & {n}"} for n in (0, 1)]
        found = {"error": wrong} if wrong else {"data": rows if int(asked) < 4 else []}
        data = json.dumps(found).encode()
        self.send_response(401 if wrong else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _answer  # noqa: N815 - the base's names

    def log_message(self, *_args):
        pass


ThreadingHTTPServer(("127.0.0.1", SETTINGS["port"]), Handler).serve_forever()
