"""Hashes of secrets as they stand in a file: slow ones of passwords, quick ones of random tokens. Pure.

``scrypt$<n>$<r>$<p>$<salt>$<hash>`` (RFC 7914; salt and hash in base64) and ``sha256$<hex>``: a token of
32 random bytes cannot be guessed, so that a slow hash would protect nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

_COST, _BLOCK, _LANES = 1 << 14, 8, 1
_HIGHEST_COST, _HIGHEST_BLOCK, _HIGHEST_LANES = 1 << 18, 32, 16
_BYTES = 32
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """What scrypt made of a password."""

    cost: int
    block: int
    lanes: int
    salt: bytes
    made: bytes

    def fits(self, password: bytes) -> bool:
        """Tell whether this is the password; takes its time, some 50 ms."""
        return hmac.compare_digest(self._make(password), self.made)

    def _make(self, password: bytes) -> bytes:
        memory = 256 * self.block * (self.cost + self.lanes)
        return hashlib.scrypt(
            password,
            salt=self.salt,
            n=self.cost,
            r=self.block,
            p=self.lanes,
            maxmem=memory,
            dklen=len(self.made),
        )

    def __str__(self) -> str:
        salt, made = (base64.b64encode(part).decode() for part in (self.salt, self.made))
        return f"scrypt${self.cost}${self.block}${self.lanes}${salt}${made}"


@dataclass(frozen=True, slots=True)
class TokenHash:
    """The SHA-256 of a token, in hexadecimal digits."""

    digest: str

    def __str__(self) -> str:
        return f"sha256${self.digest}"


def hash_password(password: bytes, salt: bytes | None = None) -> PasswordHash:
    """Hash a password; the salt is random unless it is given."""
    empty = PasswordHash(_COST, _BLOCK, _LANES, salt or secrets.token_bytes(16), bytes(_BYTES))
    return PasswordHash(_COST, _BLOCK, _LANES, empty.salt, empty._make(password))


def hash_token(token: bytes) -> TokenHash:
    """Hash a random token."""
    return TokenHash(hashlib.sha256(token).hexdigest())


def new_token() -> str:
    """Make a token that cannot be guessed."""
    return secrets.token_urlsafe(_BYTES)


def parse_hash(text: str) -> PasswordHash | TokenHash:
    """Read a hash; raises ValueError, which does not repeat the text: it may be the secret itself."""
    match text.split("$"):
        case ["sha256", digest] if _DIGEST.fullmatch(digest):
            return TokenHash(digest)
        case ["scrypt", cost, block, lanes, salt, made]:
            return _password_hash((cost, block, lanes), salt, made)
    raise ValueError("neither scrypt$… nor sha256$…, as the command cheesebox access writes them")


def _password_hash(numbers: tuple[str, ...], salt: str, made: str) -> PasswordHash:
    if not all(number.isascii() and number.isdecimal() and len(number) < _BYTES for number in numbers):
        raise ValueError("the costs of scrypt are not numbers")
    cost, block, lanes = map(int, numbers)
    is_power = cost > 1 and cost & (cost - 1) == 0
    bounded = cost <= _HIGHEST_COST and 1 <= block <= _HIGHEST_BLOCK and 1 <= lanes <= _HIGHEST_LANES
    if not is_power or not bounded:
        raise ValueError("the costs of scrypt are out of bounds")
    found = PasswordHash(cost, block, lanes, _decoded(salt), _decoded(made))
    if len(found.made) < _BYTES // 2:
        raise ValueError("the hash is too short")
    return found


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError("salt or hash is not base64") from error
