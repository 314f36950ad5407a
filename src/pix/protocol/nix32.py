"""nix32, in which Nix writes hashes: five bits a digit, from the last byte, without e, o, t and u.

Source: Nix `hash.cc`, `base-nix-32.cc`.
"""

ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"
_VALUES = {digit: value for value, digit in enumerate(ALPHABET)}


def nix32(raw: bytes) -> str:
    """Return bytes in Nix's base 32."""
    number = int.from_bytes(raw, "little")
    digits = (len(raw) * 8 + 4) // 5
    return "".join(ALPHABET[number >> 5 * i & 31] for i in reversed(range(digits)))


def from_nix32(text: str) -> bytes:
    """Return the bytes of a nix32 text. Raises ValueError."""
    number = 0
    for digit in text:
        if digit not in _VALUES:
            raise ValueError(f"{digit!r} is not a nix32 digit")
        number = number << 5 | _VALUES[digit]
    size = len(text) * 5 // 8
    if number >> 8 * size:
        raise ValueError(f"{text!r} is not a nix32 text: bits are left over")
    return number.to_bytes(size, "little")
