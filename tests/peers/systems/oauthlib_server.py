# mypy: ignore-errors
"""
An API of three pages whose requests are checked by oauthlib, as OAuth 1.0 (RFC 5849) wants them signed.

Run as `python oauthlib_server.py SETTINGS`, in oauthlib's own environment. SETTINGS is JSON: `port`, `client` and `token`, each
a name and its secret, and `rsa`, the public key of the client.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from oauthlib.oauth1 import RequestValidator, ResourceEndpoint

SETTINGS = json.loads(Path(sys.argv[1]).read_text())
ADDRESS = f"http://127.0.0.1:{SETTINGS['port']}"


class Validator(RequestValidator):
    """Knows one client with one token; a nonce is good once, for five minutes."""

    enforce_ssl = False
    allowed_signature_methods = ("HMAC-SHA1", "HMAC-SHA256", "RSA-SHA1")
    dummy_client = dummy_access_token = "nobody-that-is-known"

    def __init__(self):
        super().__init__()
        self.seen = set()

    def check_client_key(self, client_key):
        return True

    def check_access_token(self, request_token):
        return True

    def check_nonce(self, nonce):
        return 8 <= len(nonce) <= 128 and nonce.isascii()

    def validate_timestamp_and_nonce(
        self, client_key, timestamp, nonce, request, request_token=None, access_token=None
    ):
        new = (timestamp, nonce) not in self.seen
        self.seen.add((timestamp, nonce))
        return new and abs(time.time() - int(timestamp)) < 300

    def validate_client_key(self, client_key, request):
        return client_key == SETTINGS["client"][0]

    def validate_access_token(self, client_key, token, request):
        return token == SETTINGS["token"][0]

    def get_client_secret(self, client_key, request):
        return SETTINGS["client"][1]

    def get_access_token_secret(self, client_key, token, request):
        return SETTINGS["token"][1]

    def get_rsa_key(self, client_key, request):
        return SETTINGS["rsa"]

    def validate_realms(self, client_key, token, request, uri=None, realms=None):
        return True


ENDPOINT = ResourceEndpoint(Validator())


class Handler(BaseHTTPRequestHandler):
    """Two items on each of three pages, by GET, or by a form that is POSTed."""

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        headers = {name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers}
        checked = (ADDRESS + self.path, self.command, body, headers)
        good = self.path == "/ready" or ENDPOINT.validate_protected_resource_request(*checked, realms=["api"])[0]
        asked = parse_qs(urlsplit(self.path).query or body)
        page = int(asked.get("page", ["1"])[0])
        rows = [{"id": 2 * page + n, "name": f"ä & {n}"} for n in (0, 1)]
        found = {"data": rows if page < 4 else []} if good else {"error": "the signature is wrong"}
        data = json.dumps(found).encode()
        self.send_response(200 if good else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _answer  # noqa: N815 - the base's names

    def log_message(self, *_args):
        pass


ThreadingHTTPServer(("127.0.0.1", SETTINGS["port"]), Handler).serve_forever()
