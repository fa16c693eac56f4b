"""A self-signed certificate for TLS on loopback, made at the first start and used again."""

from __future__ import annotations

import datetime
import ipaddress
import shutil
import ssl
import subprocess
from pathlib import Path

from biostar.standin.errors import StandInError

LIFETIME = datetime.timedelta(days=825)


def make_context(home: Path) -> ssl.SSLContext:
    """The server side of TLS, with the certificate of `home` (`server.crt`), which is made when missing or expired.

    A client that verifies finds the certificate through the environment variable SSL_CERT_FILE.
    """
    certificate, key = home / "server.crt", home / "server.key"
    if not _usable(certificate, key):
        _make(certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _usable(certificate: Path, key: Path) -> bool:
    if not certificate.exists() or not key.exists():
        return False
    age = datetime.datetime.now().timestamp() - certificate.stat().st_mtime
    return age < (LIFETIME - datetime.timedelta(days=30)).total_seconds()


def _make(certificate: Path, key: Path) -> None:
    try:
        _make_with_cryptography(certificate, key)
    except ImportError:
        _make_with_openssl(certificate, key)
    key.chmod(0o600)


def _make_with_cryptography(certificate: Path, key: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    key.touch(mode=0o600)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def _make_with_openssl(certificate: Path, key: Path) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise StandInError(
            "no way to make a certificate for TLS",
            next_step="pip install cryptography, or install openssl, or start with --no-tls",
        )
    command = [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(LIFETIME.days)]
    command += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        command,
        check=True,
        capture_output=True,
    )
