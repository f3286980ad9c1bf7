"""Checks of certificates and keys, before anything is created."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes


def certificates(pem: str) -> list[x509.Certificate]:
    """Return the certificates in `pem`, a server's own first; raise ValueError if there is none."""
    return x509.load_pem_x509_certificates(pem.encode())


def problems(certificate: str, key: str | None, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield setting and message for every reason why `certificate` and `key` cannot serve all of `names`.

    Args:
        certificate: PEM that `certificates` accepts.
        key: PEM, None if it is not readable here.
        names: names and addresses of the server.

    """
    own = certificates(certificate)[0]
    now = datetime.now(UTC)
    if not own.not_valid_before_utc <= now < own.not_valid_after_utc:
        period = f"{own.not_valid_before_utc:%Y-%m-%d} to {own.not_valid_after_utc:%Y-%m-%d}"
        yield "tlsCertificate", f"valid from {period}; accepted: one that is valid now"
    covered = _names(own)
    for name in names:
        if not _covers(covered, name):
            to = ", ".join(covered) or "nobody"
            why = "by which Grafana is reached (accessHost, grafanaRootUrl)"
            yield "tlsCertificate", f"made out to {to}; accepted: one that is made out to {name} too, {why}"
    if key is None:
        return
    try:
        private = serialization.load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError):
        yield "tlsKey", "(hidden); accepted: a private key as PEM, without a passphrase"
        return
    if not _same(private.public_key(), own.public_key()):
        yield "tlsKey", "(hidden); accepted: the key that tlsCertificate was made with"


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def _covers(covered: Sequence[str], name: str) -> bool:
    try:
        return str(ipaddress.ip_address(name)) in covered
    except ValueError:
        lower = [c.lower() for c in covered]
        return name.lower() in lower or f"*.{name.lower().partition('.')[2]}" in lower


def _same(one: PublicKeyTypes, other: PublicKeyTypes) -> bool:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return one.public_bytes(serialization.Encoding.PEM, form) == other.public_bytes(serialization.Encoding.PEM, form)
