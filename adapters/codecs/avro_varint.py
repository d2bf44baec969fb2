"""Whole numbers as Avro writes them: zigzag, seven bits a byte, the lowest first (Avro 1.11 specification, "Binary encoding")."""

from hub.errors import DecodeError


def varint(data: bytes, position: int) -> tuple[int, int]:
    """Return the zigzag number at a position and the position behind it.

    Raises
    ------
    DecodeError
        The bytes end, or the number has more than 64 bits.
    """
    encoded = shift = 0
    for position_now in range(position, min(position + 10, len(data))):
        byte = data[position_now]
        encoded |= (byte & 0x7F) << shift
        if byte < 0x80 and encoded < 1 << 64:
            return (encoded >> 1) ^ -(encoded & 1), position_now + 1
        shift += 7
    raise DecodeError("the Avro body ends or breaks inside a number")
