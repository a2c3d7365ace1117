"""What the API server knows its callers by: the administrator's token, and a key that signs the others'."""

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)


def write_secret(path: Path, text: str) -> None:
    """Writes a file that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def write_admin_token(path: Path) -> str:
    """A new token, in a file for the API server's --token-auth-file."""
    token = secrets.token_urlsafe(32)
    write_secret(path, f"{token},admin,admin,system:masters\n")
    return token


def ensure_signing_key(path: Path) -> None:
    """The key for ServiceAccount tokens. One that is there stays, or older tokens would stop working."""
    if not path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        write_secret(path, pem.decode())
