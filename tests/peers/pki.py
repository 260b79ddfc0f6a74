"""A certificate authority of its own, for servers at 127.0.0.1 and for clients that are known by a certificate."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER = "localhost"
#: When certificates begin and end, from now.
BEGINS, ENDS = timedelta(hours=-1), timedelta(days=2)


@dataclass(frozen=True)
class Certificate:
    """The PEM files of a certificate and of its private key (PKCS #8, not encrypted)."""

    certificate: Path
    key: Path


class Authority:
    """Issues certificates into a folder; `ca` is the PEM file that trusts them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Syncline test CA")
        self.ca = folder / "ca.crt"
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        made = self._builder(self._name, self._key.public_key())
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        made = made.add_extension(usage, critical=True)
        self.ca.write_bytes(_pem(made.sign(self._key, hashes.SHA256())))

    def issue(self, name: str, begins: timedelta = BEGINS, ends: timedelta = ENDS) -> Certificate:
        """
        A certificate with this common name; for `localhost` it is a server's, also at 127.0.0.1, else a client's. It
        holds between these times from now.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if name == SERVER else ExtendedKeyUsageOID.CLIENT_AUTH
        addresses: list[x509.GeneralName] = [x509.DNSName(name)]
        if name == SERVER:
            addresses.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        made = self._builder(_name(name), key.public_key(), begins, ends)
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        made = made.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        made = made.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        files = Certificate(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        files.certificate.write_bytes(_pem(made.sign(self._key, hashes.SHA256())))
        files.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files

    def context(self, client: Certificate | None = None) -> ssl.SSLContext:
        """A client's settings that trust this authority, and show a certificate."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if client:
            context.load_cert_chain(client.certificate, client.key)
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, begins: timedelta = BEGINS, ends: timedelta = ENDS
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
        made = made.not_valid_before(now + begins).not_valid_after(now + ends)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        return made.add_extension(identifier, critical=False)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
