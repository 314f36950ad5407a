"""What can go wrong in the codec, and where.

Every exception that `pix` raises on account of data is one of these, so that a caller needs
a single `except PixError`.
"""


class PixError(Exception):
    """Anything the codec refuses; the message is one line meant for a person."""


class DecodeError(PixError):
    """Bytes that are not what the declaration says.

    `offset` is the absolute stream offset (bytes) of the first bad byte, `expected` and
    `found` say what should have stood there and what did.
    """

    def __init__(self, offset: int, expected: str, found: str) -> None:
        super().__init__(f"at byte {offset}: expected {expected}, found {found}")
        self.offset = offset
        self.expected = expected
        self.found = found


class TooLarge(DecodeError):
    """A number `value` of more than the `bits` that readers of the type `name` take."""

    def __init__(self, offset: int, name: str, bits: int, value: int) -> None:
        super().__init__(offset, f"{name} below 2^{bits}", str(value))
        self.bits = bits
        self.value = value


class WildLength(DecodeError):
    """A length that cannot be true: what stands there was hardly meant to be one."""


class Truncated(DecodeError):
    """The bytes end inside a value; `missing` is how many more it needs at least."""

    def __init__(self, offset: int, expected: str, missing: int) -> None:
        super().__init__(offset, expected, f"the end of the data ({missing} bytes short)")
        self.missing = missing


class Lost(PixError):
    """The connection ended, broke, or was silent for too long."""


class EncodeError(PixError, ValueError):
    """A value that the wire, or this protocol version, cannot carry.

    `path` names the field, as in `AddToStore.repair`.
    """

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}" if path else why)
        self.path = path
        self.why = why

    def inside(self, name: str) -> "EncodeError":
        """Return the same error seen from the enclosing field or type `name`."""
        return type(self)(f"{name}.{self.path}" if self.path else name, self.why)


class GateError(EncodeError):
    """A field that is given though the version lacks it, or not given though it has it.

    `why` goes on from the field's name, as `does not exist before 1.25` or `is needed in 1.38`.
    """
