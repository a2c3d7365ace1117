"""Credentials: the token of the administrator, and the key that signs the tokens of ServiceAccounts."""

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
    """Write a file that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def write_admin_token(path: Path) -> str:
    """Write a new token to a file for --token-auth-file of the API server. Returns the token."""
    token = secrets.token_urlsafe(32)
    write_secret(path, f"{token},admin,admin,system:masters\n")
    return token


def ensure_signing_key(path: Path) -> None:
    """Make the key for tokens of ServiceAccounts, unless it exists. A new key makes older tokens invalid."""
    if not path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        write_secret(path, pem.decode())
