"""Inflating what may be a bomb: it is counted before it is held."""

import zlib

from hub.errors import DecodeError

_PIECE_BYTES = 1 << 20


def inflated(data: bytes, limit: int, *, wbits: int, what: str, most: str) -> bytes:
    """Return what a zlib or deflate stream holds; what is larger than a piece of a megabyte is gone through once before.

    Parameters
    ----------
    data
        The stream.
    limit
        Most that it may hold, bytes.
    wbits
        As `zlib.decompressobj` takes it.
    what, most
        What it is, and what it was that may hold no more than the limit, for the sentences of errors.

    Raises
    ------
    DecodeError
        It is broken, cut off, or holds more than it may.
    """
    try:
        inflater = zlib.decompressobj(wbits)
        piece = inflater.decompress(data, min(limit + 1, _PIECE_BYTES))
        n_bytes = len(piece)
        is_small = inflater.eof
        while piece and n_bytes <= limit and not inflater.eof:
            piece = inflater.decompress(inflater.unconsumed_tail, _PIECE_BYTES)
            n_bytes += len(piece)
    except zlib.error as error:
        raise DecodeError(f"{what} is broken") from error
    if n_bytes > limit:
        raise DecodeError(most)
    if not inflater.eof:
        raise DecodeError(f"{what} is cut off")
    return piece if is_small else zlib.decompress(data, wbits, bufsize=n_bytes)
