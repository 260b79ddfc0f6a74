"""Which proxies an integration goes through: its own, or those of the environment where the operator says so."""

from __future__ import annotations

import pytest

from syncline.executor.services.proxies import proxies_of
from syncline.kinds.integration import Proxy as Declared
from syncline.model.errors import Invalid
from syncline.model.secret import Secret
from syncline.sdk.http import Proxy, origin_of
from syncline.settings import read_settings

VARIABLES = {
    "HTTPS_PROXY": "http://al%40ice:can%3Aary@proxy.corp.example:3128",
    "http_proxy": "proxy.corp.example",
    "NO_PROXY": ".corp.example, vendor.example,10.0.0.0/8,",
}


def secret(ref):
    return Secret(f"value of {ref.secret_ref.key}")


def found(tmp_path, declared=None, **environ):
    return proxies_of(declared, read_settings(tmp_path, environ), secret)


def test_the_environment_alone_changes_nothing(tmp_path):
    """Variables that machines have set don't lead requests anywhere: the manifest is the truth."""
    assert found(tmp_path, **VARIABLES) == ()


def test_the_environment_counts_where_the_operator_says_so(tmp_path):
    """By SYNCLINE_PROXY they do, by scheme, with credentials, and with the exceptions that NO_PROXY has."""
    https, http = found(tmp_path, SYNCLINE_PROXY="environment", **VARIABLES)

    assert (https.host, https.port, https.username, https.lookup) == ("proxy.corp.example", 3128, "al@ice", "here")
    assert https.password.reveal() == "can:ary"
    assert (http.host, http.port, http.password, http.trusted) == ("proxy.corp.example", 80, None, True)
    urls = {
        "https://api.example.com/": True,
        "http://api.example.com/": False,
        "https://vendor.example/": False,
        "https://api.vendor.example/": False,
        "https://notvendor.example/": True,
        "https://corp.example/": False,
        "https://10.1.2.3/": False,
        "https://127.0.0.1/": False,
        "https://localhost/": False,
        "https://[::1]/": False,
    }
    assert {url: https.leads_to(origin_of(url)) for url in urls} == urls
    assert http.leads_to(origin_of("http://api.example.com/"))
    assert "can:ary" not in repr(https)


def test_names_may_be_left_to_the_environments_proxy(tmp_path):
    """One more setting has that proxy look names up; `*` in NO_PROXY means everything."""
    proxies = found(tmp_path, SYNCLINE_PROXY="environment", SYNCLINE_PROXY_LOOKUP="proxy", ALL_PROXY="http://p:1")
    assert [(proxy.scheme, proxy.lookup) for proxy in proxies] == [("https", "proxy"), ("http", "proxy")]
    bare = found(tmp_path, SYNCLINE_PROXY="environment", https_proxy="http://p:1", no_proxy="*")
    assert not bare[0].leads_to(origin_of("https://api.example.com/"))


def test_doctor_tells_which_proxies_count(tmp_path):
    """Variables that are set and change nothing are told of, as is what counts; without any, nothing is said."""
    from syncline.reconciler.doctor import _proxy

    def said(**environ):
        return [(finding.ok, finding.message) for finding in _proxy(read_settings(tmp_path, environ))]

    assert said() == said(NO_PROXY="*") == []
    assert said(**VARIABLES) == [(None, "nothing goes through what is set as HTTPS_PROXY and HTTP_PROXY")]
    ((ok, message),) = said(SYNCLINE_PROXY="environment", **VARIABLES)
    assert ok
    assert message.startswith("https through proxy.corp.example:3128, http through proxy.corp.example:80")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://p", ("https", 443, "here")),
        ("http://p", ("http", 80, "here")),
        ("socks5://p", ("socks5", 1080, "here")),
        ("socks5h://p:9050", ("socks5", 9050, "proxy")),
    ],
)
def test_a_url_says_how_a_proxy_is_spoken_to(tmp_path, url, expected):
    """Each protocol with its port, as curl knows them; `socks5h` has the proxy look names up. Declared or not."""
    (declared,) = found(tmp_path, Declared.model_validate({"url": url}))
    (environment, _) = found(tmp_path, SYNCLINE_PROXY="environment", ALL_PROXY=url)
    for proxy in (declared, environment):
        assert (proxy.protocol, proxy.port, proxy.lookup) == expected


def test_authorities_of_a_proxy_come_from_the_repository(tmp_path):
    """`tls.ca` names a file of it; one outside is refused."""
    (tmp_path / "ca.pem").write_text("PEM")
    (proxy,) = found(tmp_path, Declared.model_validate({"url": "https://p", "tls": {"ca": "ca.pem", "min": "1.2"}}))
    assert (proxy.tls.ca, proxy.tls.minimum) == ("PEM", "1.2")
    with pytest.raises(Invalid) as caught:
        found(tmp_path, Declared.model_validate({"url": "https://p", "tls": {"ca": "../ca.pem"}}))
    assert caught.value.code == "SYN432"


def test_a_declared_proxy_wins(tmp_path):
    """What an integration declares is all that counts for it; its secrets come from their references."""
    ref = {"secretRef": {"provider": "env", "key": "PW"}}
    declared = Declared.model_validate(
        {"url": "http://[::1]:8080", "username": ref, "password": ref, "bypass": ("*.b",)}
    )
    (proxy,) = found(tmp_path, declared, SYNCLINE_PROXY="environment", **VARIABLES)
    assert proxy == Proxy("::1", 8080, "value of PW", Secret("value of PW"), bypass=("*.b",))
    assert not proxy.trusted


@pytest.mark.parametrize(
    "environ",
    [
        {"SYNCLINE_PROXY": "yes"},
        {"SYNCLINE_PROXY": "environment", "SYNCLINE_PROXY_LOOKUP": "there"},
        {"SYNCLINE_PROXY": "environment", "HTTPS_PROXY": "socks4://canary:canary@p:1"},
        {"SYNCLINE_PROXY": "environment", "HTTPS_PROXY": "socks5://canary@p:1"},
        {"SYNCLINE_PROXY": "environment", "HTTPS_PROXY": f"socks5://canary:{'canary' * 50}@p:1"},
        {"SYNCLINE_PROXY": "environment", "HTTPS_PROXY": "http://p:99999"},
        {"SYNCLINE_PROXY": "environment", "HTTPS_PROXY": "http://"},
        {"SYNCLINE_PROXY": "environment", "HTTPS_PROXY": "http://canary:canary@[bad"},
    ],
)
def test_settings_that_lead_nowhere(tmp_path, environ):
    """A setting that can't be followed is an error that shows no credentials, not a direct connection."""
    with pytest.raises(Invalid) as caught:
        found(tmp_path, **environ)
    assert caught.value.code == "SYN272"
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["socks4://p:1", "ftp://p:1", "socks5://a:b@p:1", "http://a:b@p:1", "http://p:1/path", "http://", "p:1"]
)
def test_urls_that_no_manifest_may_give(url):
    """A declared proxy is at HOST:PORT of a protocol that is spoken, and its credentials are references."""
    with pytest.raises(ValueError, match="url"):
        Declared.model_validate({"url": url})
