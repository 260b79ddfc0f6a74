"""oauthlib as the server of OAuth 1.0: it checks every signature, and takes no nonce twice."""

from __future__ import annotations

import pytest

from tests.peers.house import Flow, house

FIELDS = ("to: id, from: id, type: integer, required: true", "to: name, from: name")
CONNECTOR = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: signed}
spec:
  version: 1.0.0
  auth: [oauth1]
  config: {properties: {url: {type: string, format: uri}}, required: [url]}
  http: {url: "{{ config.url }}"}
  streams:
    items:
      get: "/things%20of/%C3%A4/items"
      query: {fields: "id,name", "filter[name]": "a b+c&d=ü"}
      records: data[]
      key: [id]
      page: {page: query.page}
      schema: {required: [id], properties: {id: {type: integer}, name: {type: string}}}
    searched:
      post: /search
      form: {q: "a b+c&d=ü~"}
      records: data[]
      key: [id]
      page: {page: body.page}
      schema: {required: [id], properties: {id: {type: integer}, name: {type: string}}}
"""
SECRETS = "{METHOD, consumerKey: 'client & söhne', token: {secretRef: {provider: env, key: TOKEN}}, realm: api"
HMAC = ", consumerSecret: {secretRef: {provider: env, key: CLIENT_SECRET}}"
RSA = ", privateKey: {secretRef: {provider: env, key: CLIENT_KEY}}"
TOKEN = ", tokenSecret: {secretRef: {provider: env, key: TOKEN_SECRET}}}"


def made(root, system, stream, method, **secrets):
    """A house that reads a stream with this method of signatures."""
    auth = SECRETS.replace("METHOD", f"type: oauth1, signatureMethod: {method}")
    auth += (RSA if method == "RSA-SHA1" else HMAC) + (TOKEN if method != "RSA-SHA1" else "}")
    own = {
        "CLIENT_SECRET": system.client_secret,
        "CLIENT_KEY": system.private_key,
        "TOKEN_SECRET": system.token_secret,
        "TOKEN": system.token,
    }
    flow = Flow(stream, FIELDS)
    return house(root, CONNECTOR, {"url": system.url}, flow, auth=auth, secrets=own | secrets, quick=True)


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA256", "RSA-SHA1"])
@pytest.mark.parametrize("stream", ["items", "searched"])
def test_every_page_is_signed(tmp_path, oauthlib, stream, method):
    """Each of the pages has a signature that oauthlib accepts, over a path, a query and a form with what must be escaped."""
    house = made(tmp_path, oauthlib, stream, method)

    counts = house.run(stream)

    assert (counts["read"], counts["inserted"]) == (6, 6)
    assert house.rows(f"SELECT name FROM {stream} WHERE id = 7") == [("ä & 1",)]
    house.proved()


def test_a_wrong_secret_stalls(tmp_path, oauthlib):
    """A signature with another secret is refused, and the run says what to do."""
    house = made(tmp_path, oauthlib, "items", "HMAC-SHA256", TOKEN_SECRET="another-canary-4711")

    assert "SYN401" in house.fails("items")
    house.proved()
