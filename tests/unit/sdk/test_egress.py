"""What may be reached: addresses behind names, in every form that an address has."""

from __future__ import annotations

import pytest

from syncline.model.errors import Denied
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Request
from tests.api_server import Reply, api_server

NEVER = [
    "169.254.169.254",  # AWS, Azure, Google, DigitalOcean
    "100.100.100.200",  # Alibaba
    "192.0.0.192",  # Oracle; global by Python 3.11.7
    "168.63.129.16",  # Azure's wire server
    "fd00:ec2::254",  # AWS
    "fd20:ce::254",  # Google
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b:1::7f00:1",
    "2001:0:7f00:1::80ff:fffe",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "100::1",
]
PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "100.64.0.1",
    "::1",
    "fd12:3456::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",  # NAT64; global by Python 3.11.7
    "2002:7f00:1::",  # 6to4; likewise
    "2a00:1450::200:5efe:7f00:1",  # ISATAP
]
PUBLIC = ["93.184.215.14", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_reached(address):
    """Metadata services, link-local and reserved addresses are out of bounds, whatever a tenant or a manifest says."""
    open_wide = Egress(private=("0.0.0.0/0", "::/0", "*"), allow=("0.0.0.0/0", "::/0")).declaring([address])
    with pytest.raises(Denied) as caught:
        open_wide.check("api.example.com", [address])
    assert caught.value.code == "SYN460"


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_reached_only_where_named(address):
    """A name may lead to a private address, in whatever form, only if its network or the name itself is named."""
    with pytest.raises(Denied, match="is a private address"):
        Egress().declaring(["api.example.com"]).check("api.example.com", [address])
    Egress(private=("0.0.0.0/0", "::/0")).check("api.example.com", [address])
    Egress(private=("*.example.com",)).check("api.example.com", [address])


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached(address):
    """Public addresses need nothing; with an allow-list, only those that it names are reached."""
    Egress().check("api.example.com", [address])
    Egress(allow=("api.example.com",)).check("api.example.com", [address])
    with pytest.raises(Denied, match="not among the allowed"):
        Egress(allow=("*.example.org",)).check("api.example.com", [address])


def test_all_addresses_of_a_name_count():
    """One private address among public ones, the trick of rebinding, refuses the host."""
    with pytest.raises(Denied):
        Egress().check("api.example.com", ["93.184.215.14", "10.0.0.1"])


def test_an_allow_list_opens_no_private_address_by_name():
    """Who allows a vendor's name doesn't allow the vendor to point it inside; a network that is named is meant."""
    with pytest.raises(Denied, match="private"):
        Egress(allow=("api.example.com",)).check("api.example.com", ["10.0.0.1"])
    Egress(allow=("10.0.0.0/8",)).check("api.example.com", ["10.0.0.1"])


def test_denied_wins():
    """`deny` wins over everything, by name and by address, also by the one inside another."""
    for deny in ("*.example.com", "93.184.215.0/24"):
        with pytest.raises(Denied):
            Egress(allow=("api.example.com",), deny=(deny,)).check("API.example.com.", ["93.184.215.14"])
    with pytest.raises(Denied):
        Egress(deny=("8.8.8.8",)).check("x.example", ["64:ff9b::808:808"])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "api.localhost", "10.1.2.3"])
def test_a_literal_host_of_a_manifest_is_meant(host):
    """Outside of tenants, a private address that a manifest gives is reached; inside, it must be named."""
    address = host if host[0].isdigit() else "127.0.0.1"
    Egress().declaring([host]).check(host, [address])
    with pytest.raises(Denied):
        Egress().check(host, [address])
    with pytest.raises(Denied):
        Egress(literals=False).declaring([host]).check(host, [address])


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0x7f000001", "8.8.2056"])
def test_odd_forms_of_addresses_are_no_hosts(host):
    """Decimal, octal, hexadecimal and shortened forms, which resolvers read as addresses, are refused."""
    with pytest.raises(Denied, match="unusual form"):
        Egress(private=("0.0.0.0/0",)).check(host, ["127.0.0.1"])


def transport(addresses, egress):
    return HttpTransport(SystemClock(), 1 << 20, lookup=lambda _host, _timeout: addresses, egress=egress)


def test_the_checked_address_is_connected_to():
    """A name is looked up once; the connection goes to the address that was checked, and names the host it meant."""
    asked = []

    def lookup(host, timeout):
        asked.append(host)
        return ("127.0.0.1",) if len(asked) == 1 else ("169.254.169.254",)

    with api_server(lambda _: Reply({})) as api:
        client = HttpTransport(SystemClock(), 1 << 20, lookup=lookup, egress=Egress(private=("127.0.0.0/8",)))
        port = api.url.rpartition(":")[2]
        assert client.send(Request("GET", f"http://api.invalid:{port}/"), 60.0).status == 200
        client.close()
    assert asked == ["api.invalid"]
    assert api.asked[0].headers["host"] == f"api.invalid:{port}"


def test_a_refused_host_gets_no_packet():
    """Nothing is connected to before all addresses are checked."""
    with api_server(lambda _: Reply({})) as api:
        port = api.url.rpartition(":")[2]
        client = transport(("127.0.0.1",), Egress())
        with pytest.raises(Denied):
            client.send(Request("GET", f"http://rebound.example:{port}/"), 60.0)
        client.close()
        assert api.asked == []


def test_connections_are_not_shared_past_bounds():
    """A connection that one tenant may have isn't given to another that may not."""
    from syncline.sdk.http import Pool

    with api_server(lambda _: Reply({})) as api:
        pool = Pool(SystemClock())
        near = Egress(private=("127.0.0.1",))
        one, other = (HttpTransport(SystemClock(), 1 << 20, pool=pool, egress=bounds) for bounds in (near, Egress()))
        assert one.send(Request("GET", api.url), 60.0).status == 200
        with pytest.raises(Denied):
            other.send(Request("GET", api.url), 60.0)
        pool.close()
