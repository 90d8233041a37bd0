"""Representations of a document: its bytes in one format and one content coding, with an entity tag.

Pure. The entity tag is a digest of the encoded bytes and the media type, so it is strong, and the
same after a restart (RFC 9110 §8.8.3).
"""

from __future__ import annotations

import hashlib
import sys
import zlib
from dataclasses import dataclass

from cheesebox.simple.negotiation import Coding

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GZIP_LEVEL = 6
ZSTD_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Representation:
    """Bytes ready to be sent."""

    body: bytes
    etag: str
    content_type: str
    coding: Coding = Coding.IDENTITY


def represent(body: bytes, content_type: str, coding: Coding) -> Representation:
    """Encode a body."""
    encoded = compress(body, coding)
    return Representation(encoded, etag_of(encoded, content_type), content_type, coding)


def compress(body: bytes, coding: Coding) -> bytes:
    """Apply a content coding. The same body gives the same bytes: gzip carries no time stamp."""
    match coding:
        case Coding.GZIP:
            encoder = zlib.compressobj(GZIP_LEVEL, wbits=31)
            return encoder.compress(body) + encoder.flush()
        case Coding.ZSTD:
            return zstd.compress(body, level=ZSTD_LEVEL)
        case Coding.IDENTITY:
            return body


def etag_of(encoded: bytes, content_type: str) -> str:
    """Give the strong entity tag, quotes included."""
    digest = hashlib.blake2b(content_type.encode() + b"\n", digest_size=16)
    digest.update(encoded)
    return f'"{digest.hexdigest()}"'
