"""Ed25519 signatures: whether one is that of a key for some bytes. Source: RFC 8032.

Nothing is signed here, so nothing takes care to take the same time. As with libsodium,
which Nix uses, points of small order are refused. A signature takes some 8 ms.
"""

from __future__ import annotations

import hashlib
from functools import cache, lru_cache
from typing import TypeAlias

KEY_SIZE, SIGNATURE_SIZE = 32, 64

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)

Point: TypeAlias = tuple[int, int, int, int]
"""Extended coordinates X, Y, Z, T of x = X/Z, y = Y/Z, xy = T/Z."""

NEUTRAL: Point = (0, 1, 1, 0)


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` (64 bytes) of `message` was made with the key of `key` (32)."""
    if len(key) != KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    public = _point(key)
    scalar = int.from_bytes(signature[KEY_SIZE:], "little")
    if public is None or scalar >= ORDER or _small(public):
        return False
    first = signature[:KEY_SIZE]
    digest = hashlib.sha512(first + key + message).digest()
    challenge = int.from_bytes(digest, "little") % ORDER
    x, y, z, t = public
    found = _sum(scalar, BASE, challenge, (-x % P, y, z, -t % P))
    return _encoded(found) == first and not _small(found)


def is_key_pair(data: bytes) -> bool:
    """Return whether 64 bytes are a seed and the public key made of it: a secret key of Nix."""
    scalar = int.from_bytes(hashlib.sha512(data[:KEY_SIZE]).digest()[:KEY_SIZE], "little")
    scalar = scalar & (1 << 255) - 8 | 1 << 254
    public = NEUTRAL
    for bit, power in enumerate(_powers()):
        if scalar >> bit & 1:
            public = _add(public, power)
    return _encoded(public) == data[KEY_SIZE:]


@cache
def _powers() -> tuple[Point, ...]:
    """The base point, doubled as often as a scalar has bits."""
    found = [BASE]
    for _ in range(254):
        found.append(_add(found[-1], found[-1]))
    return tuple(found)


def _small(point: Point) -> bool:
    """Return whether eight times a point is nothing."""
    for _ in range(3):
        point = _add(point, point)
    return point[0] == 0 and point[1] == point[2]


def _add(first: Point, second: Point) -> Point:
    x1, y1, z1, t1 = first
    x2, y2, z2, t2 = second
    a = (y1 - x1) * (y2 - x2) % P
    b = (y1 + x1) * (y2 + x2) % P
    c = 2 * D * t1 * t2 % P
    d = 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _sum(m: int, first: Point, n: int, second: Point) -> Point:
    """Return m times one point and n times another, added."""
    both = (NEUTRAL, first, second, _add(first, second))
    found = NEUTRAL
    for bit in reversed(range(max(m.bit_length(), n.bit_length()))):
        found = _add(found, found)
        found = _add(found, both[m >> bit & 1 | (n >> bit & 1) << 1])
    return found


def _encoded(point: Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    return (y * inverse % P | (x * inverse % P & 1) << 255).to_bytes(32, "little")


@lru_cache(64)
def _point(encoded: bytes) -> Point | None:
    """Return the point that 32 bytes stand for, None for bytes that stand for none."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


_BASE = _point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
assert _BASE is not None
BASE: Point = _BASE
