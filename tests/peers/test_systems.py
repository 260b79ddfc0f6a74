"""Every system of this folder is there, and refuses what its tests rely on being refused."""

from __future__ import annotations

from tests.peers.person import approve
from tests.peers.web import ask


def test_kinto_gives_pages_of_three_and_keeps_tombstones(kinto):
    """A list names its next page in a header, and a deleted record stays in it as a tombstone."""
    records = kinto.collection("systems", "things")
    for n in range(5):
        kinto.put(records, f"r{n}", n=n)
    kinto.ask("DELETE", f"{records}/r0").ok()

    first = kinto.ask("GET", f"{records}?_sort=last_modified&_since=0")
    rest = ask("GET", first.headers["next-page"], basic=(kinto.user, kinto.password)).ok()

    assert len(first.ok()["data"]) == 3
    assert [row.get("deleted") for row in rest["data"]] == [None, True]


def test_oidc_gives_tokens_and_takes_them(oidc):
    """Client credentials give a token that the API takes; without one it answers 401."""
    form = b"grant_type=client_credentials&scope=api:read"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    token = ask("POST", oidc.token_url, form, headers=kind, basic=("basic", oidc.secrets["basic"])).ok()

    items = ask("GET", f"{oidc.url}/api/items", headers={"Authorization": f"Bearer {token['access_token']}"})

    assert len(items.ok()["data"]) == 5
    assert ask("GET", f"{oidc.url}/api/items").status == 401


def test_a_person_approves_at_oidc(oidc):
    """A login and a consent end at the redirect address, at any port, with a code."""
    asked = "response_type=code&client_id=native&scope=api:read&code_challenge_method=S256&state=x"
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    redirect = "http://127.0.0.1:9/callback"

    landed = approve(f"{oidc.url}/auth?{asked}&code_challenge={challenge}&redirect_uri={redirect}")

    assert landed.startswith(f"{redirect}?code=")


def test_oidc_mtls_knows_its_client_by_certificate(oidc_mtls):
    """The right certificate gets a token; without one the client is refused."""
    form = b"grant_type=client_credentials&scope=api:read&client_id=mtls"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}

    def token(client):
        return ask("POST", oidc_mtls.token_url, form, headers=kind, tls=oidc_mtls.authority.context(client))

    assert token(oidc_mtls.client).status == 200
    assert token(oidc_mtls.stranger).status == 401
    assert token(None).status == 401


def test_moto_refuses_keys_that_it_does_not_know(moto):
    """Another key than the one that it gave gets a 403."""
    signed = f"AWS4-HMAC-SHA256 Credential=AKIAOTHER/20260101/{moto.region}/sqs/aws4_request, SignedHeaders=host, Signature=0"
    headers = {"Authorization": signed, "Content-Type": "application/x-www-form-urlencoded"}

    assert ask("POST", f"{moto.url}/", b"Action=ListQueues&Version=2012-11-05", headers=headers).status == 403


def test_seaweedfs_refuses_unsigned_requests(seaweedfs):
    """Without a signature S3 answers 403."""
    assert ask("GET", f"{seaweedfs.url}/").status == 403


def test_request_tracker_refuses_stale_changes(request_tracker):
    """A change with the ETag of another version gets a 412."""
    number = request_tracker.ticket("Printer on fire")
    stale = request_tracker.ask("PUT", f"/ticket/{number}", {"Subject": "x"}, {"If-Match": '"other"'})

    assert stale.status == 412
    assert request_tracker.ask("GET", f"/ticket/{number}").ok()["Subject"] == "Printer on fire"


def test_redmine_counts_issues(redmine):
    """A list says how many issues there are in all."""
    redmine.issue("One")
    redmine.issue("Two")

    found = redmine.ask("GET", "/issues.json?limit=1").ok()

    assert (len(found["issues"]), found["total_count"], found["limit"]) == (1, 2, 1)


def test_icinga2_knows_its_reader_by_certificate(icinga2):
    """A certificate may query and do nothing else (nothing is there for it to delete); a stranger's may do nothing."""
    hosts, accept = f"{icinga2.url}/objects/hosts", {"Accept": "application/json"}

    deleted = ask("DELETE", f"{hosts}/host-1?cascade=1", headers=accept, tls=icinga2.trusting)

    assert deleted.status == 404
    assert len(ask("GET", hosts, tls=icinga2.trusting).ok()["results"]) == 25
    assert ask("GET", hosts, tls=icinga2.authority.context(icinga2.stranger)).status == 401


def test_zabbix_refuses_in_a_200(zabbix):
    """A call with a token that it doesn't know is answered with 200 and an error."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "host.get", "params": {}, "auth": "0" * 32}

    refused = ask("POST", zabbix.url, request)

    assert (refused.status, "error" in refused.json) == (200, True)
    assert zabbix.call("host.get", {}, zabbix.login()) is not None


def test_postgraphile_pages_by_cursor(postgraphile):
    """A connection has cursors and a total."""
    with postgraphile("CREATE TABLE thing (id int PRIMARY KEY); INSERT INTO thing VALUES (1), (2), (3)") as system:
        found = system.query("{ allThings(first: 2) { totalCount pageInfo { endCursor hasNextPage } nodes { id } } }")

    assert found["data"]["allThings"]["totalCount"] == 3
    assert found["data"]["allThings"]["pageInfo"]["hasNextPage"] is True


def test_scim2_wants_its_token(scim2):
    """Users are made with the token, and nothing is read without it."""
    scim2.user("bjensen")

    assert scim2.ask("GET", "/Users?count=1").ok()["totalResults"] == 1
    assert ask("GET", f"{scim2.url}/Users").status == 401


def test_alertmanager_refuses_alerts_without_labels(alertmanager):
    """An alert without labels gets a 400; one with labels has a fingerprint."""
    assert ask("POST", f"{alertmanager.url}/alerts", [{"labels": {}}]).status == 400
    ask("POST", f"{alertmanager.url}/alerts", [{"labels": {"alertname": "Down"}}]).ok()

    assert ask("GET", f"{alertmanager.url}/alerts").ok()[0]["fingerprint"]


def test_wiremock_answers_as_told(wiremock):
    """A stub is answered with its body."""
    wiremock.stub({"urlPath": "/x"}, {"status": 200, "jsonBody": {"a": 1}})

    assert ask("GET", f"{wiremock.url}/x").ok() == {"a": 1}


def test_mountebank_answers_in_turn(mountebank):
    """Answers come one after the other."""
    with mountebank.imposter({"is": {"statusCode": 429}}, {"is": {"statusCode": 200, "body": "{}"}}) as url:
        assert [ask("GET", url).status for _ in range(2)] == [429, 200]


def test_faulty_delays(faulty, kinto):
    """A request through the proxy takes as long as it is told to."""
    import time

    with faulty(kinto.url, "--delay", "200") as url:
        start = time.monotonic()
        assert ask("GET", f"{url}/").status == 200
        assert time.monotonic() - start >= 0.4
