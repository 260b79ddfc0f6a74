"""Codes of findings about how systems are reached: signatures, proxies, credentials (SYN27x, SYN54x)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN270",
        "component that a signature can't cover",
        "A message signature (RFC 9421) names a part that no request has, a parameter that it doesn't take, one twice, "
        "or `;sf` for a header whose structure isn't known.",
        "Name headers, or parts such as @method; say in `structures` what a header is.",
        bad="components: ['@status', 'x-trace;sf']",
        good="components: ['@method', 'x-trace;sf']\nstructures: {x-trace: dictionary}",
    ),
    Code(
        "SYN271",
        "proxy without an HTTP API",
        "An integration declares a proxy, and its connector reads files or speaks a database's protocol.",
        "Remove `proxy`: files and databases are reached directly.",
        bad="{connector: sqlite@^1, proxy: {url: 'http://proxy.example:3128'}}",
        good="{connector: helpdesk@^1, proxy: {url: 'http://proxy.example:3128'}}",
    ),
    Code(
        "SYN272",
        "not a proxy that can be used",
        "The address of a proxy isn't `http://HOST:PORT`, `https://HOST:PORT` or `socks5://HOST:PORT`, a variable "
        "about proxies has a value that doesn't exist, or a SOCKS proxy has a user name without a password.",
        "Give the address of an HTTP or SOCKS 5 proxy, and both a user name and a password for the latter, or none.",
        bad="proxy: {url: 'socks4://proxy.example:1080'}",
        good="proxy: {url: 'socks5://proxy.example:1080'}",
    ),
    Code(
        "SYN273",
        "reminder before the credential",
        "A credential is to be reminded of for longer than it may be used, so that the reminder would never end, or "
        "neither its age nor its end is given.",
        "Give a `warn` that is shorter than `every`, and `every` or `expires`.",
        bad="rotation: {every: 7d}",
        good="rotation: {every: 7d, warn: 2d}",
    ),
    Code(
        "SYN274",
        "credential due for replacement",
        "A credential has reached the age, or soon will, at which its AuthConfig says that it is to be replaced. "
        "Nothing stops because of it.",
        "Replace it where it was issued, and put the new one where the reference leads. Syncline sees that the value "
        "is another, and counts anew; a date in `rotation.since` isn't needed for it.",
    ),
    Code(
        "SYN540",
        "proxy refuses the credentials",
        "The proxy between here and the API asks for a user name and a password, or doesn't take those that it got "
        "(status 407). The API itself was never asked.",
        "Look at `proxy.username` and `proxy.password` of the Integration. The one scheme spoken is Basic, and with "
        "SOCKS a user name with a password.",
    ),
    Code(
        "SYN541",
        "proxy can't reach the API",
        "The proxy answers, and says that it gets no connection to the host, or says nothing for too long.",
        "Usually it passes: the next run continues after the last commit. If not, ask whoever runs the proxy whether "
        "the host can be reached from there.",
    ),
    Code(
        "SYN542",
        "proxy can't be used",
        "No connection to the proxy came about, it broke off, or what answers there is no proxy of the "
        "kind that is declared.",
        "Look at whether the proxy runs, and at `proxy.url` of the Integration.",
    ),
    Code(
        "SYN543",
        "proxy refuses the host",
        "The proxy doesn't allow a connection to the API's host or port.",
        "Have it allowed by whoever runs the proxy. One that decides by names is told them by `proxy.lookup: proxy`.",
    ),
    Code(
        "SYN544",
        "name that isn't checked here",
        "A proxy looks names up itself, so that the addresses behind a name can't be checked here. Such a name is "
        "reached only where the tenant's egress names it, and of an integration without a tenant, where it is the "
        "host of a declared URL.",
        "Name the host under `spec.egress.allow` of the Tenant, or leave out `proxy.lookup`.",
        bad="spec: {egress: {}}",
        good="spec: {egress: {allow: [api.vendor.example]}}",
    ),
    Code(
        "SYN545",
        "http by name through a proxy",
        "Without TLS a proxy is given the whole URL and looks the name in it up itself, but names are to be looked up "
        "here.",
        "Use https, or declare `proxy.lookup: proxy` and name the host under `spec.egress` of the Tenant.",
    ),
    Code(
        "SYN570",
        "TLS with the proxy failed",
        "A proxy at `https://` has a certificate that isn't trusted, speaks an older version of TLS than is asked for, "
        "or speaks none. Nothing was sent to it, its credentials neither.",
        "Name the authority of the proxy's certificate in `proxy.tls.ca`, as a file of the repository; allow 1.2 in "
        "`proxy.tls.min` where it knows no newer one.",
    ),
    Code(
        "SYN571",
        "TLS of a proxy without TLS",
        "An integration says what is asked of TLS with its proxy, whose URL says that it is spoken to without.",
        "Give the proxy's URL as `https://`, or remove `tls`; what is asked of the API's TLS is in the connector.",
        bad="proxy: {url: 'http://proxy.example:3128', tls: {ca: proxy-ca.pem}}",
        good="proxy: {url: 'https://proxy.example:3129', tls: {ca: proxy-ca.pem}}",
    ),
    Code(
        "SYN914",
        "TLS of a system without TLS",
        "An integration, a source, or the webhook of a subscription says what is asked of TLS, and its system is a "
        "file, or one without TLS.",
        "Remove `tls`, or have the system spoken to over TLS.",
        bad="spec: {connector: sqlite@^1, config: {path: a.db}, tls: {ca: ca.pem}}",
        good="spec: {connector: mariadb@^1, config: {url: 'mariadb://db.example/lake'}, tls: {ca: ca.pem}}",
    ),
    Code(
        "SYN915",
        "pins that can't be asked for",
        "An integration pins the key of a PostgreSQL server. libpq compares no keys, so the pin would be for show.",
        "Name the authority that issues this server's certificates in `tls.ca`: it is then the only one.",
        bad='tls: {ca: ca.pem, pins: ["sha256/…"]}',
        good="tls: {ca: ca-of-this-server.pem}",
    ),
    Code(
        "SYN916",
        "database out of bounds",
        "A tenant says by `egress` what its flows may reach, and the database of an integration is at a host that it "
        "denies, or, as a warning, doesn't name. A run that isn't within bounds ends before it connects (SYN460).",
        "Name the host or its network under `spec.egress.private` of the Tenant, or, where it is public, under "
        "`spec.egress.allow`. Without `egress`, a database is where the manifest says.",
        bad="egress: {allow: [api.vendor.example]}",
        good="egress: {allow: [api.vendor.example], private: [10.20.0.5]}",
    ),
    Code(
        "SYN921",
        "authorities that can't be read",
        "A manifest names by `tls.ca` a file with the certificates of authorities, and there is none below the root, "
        "it is outside the repository, or has no certificate in PEM form. What is to be reached by it couldn't be.",
        "Commit the authority's certificate as PEM, and name its path from the repository's root. A daemon looks below "
        "its --root.",
    ),
)
