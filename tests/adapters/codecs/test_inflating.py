"""What inflates: the same as zlib says, in sentences, and a bomb is never held."""

import os
import tracemalloc
import zlib

import pytest

from adapters.codecs.inflating import inflated
from hub.errors import DecodeError

MB = 1 << 20
LIMIT = 8 * MB


def deflated(content: bytes, wbits: int) -> bytes:
    deflater = zlib.compressobj(wbits=wbits)
    return deflater.compress(content) + deflater.flush()


def told(data: bytes, wbits: int = zlib.MAX_WBITS) -> bytes:
    return inflated(data, LIMIT, wbits=wbits, what="the stream", most="too much")


@pytest.mark.parametrize("wbits", [zlib.MAX_WBITS, -zlib.MAX_WBITS], ids=["zlib", "deflate"])
@pytest.mark.parametrize("size", [0, 1, MB - 1, MB, MB + 1, 2 * MB, LIMIT - 1, LIMIT])
def test_what_was_deflated_comes_back(size: int, wbits: int) -> None:
    content = (os.urandom(1000) * (size // 1000 + 1))[:size]
    assert told(deflated(content, wbits), wbits) == content


@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT + MB, 100 * LIMIT])
def test_what_holds_too_much_is_never_held(size: int) -> None:
    bomb = deflated(bytes(size), zlib.MAX_WBITS)
    tracemalloc.start()
    with pytest.raises(DecodeError, match="too much"):
        told(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * MB + 2 * len(bomb)


@pytest.mark.parametrize("size", [100, 3 * MB])
def test_what_is_cut_off_or_broken_gets_a_sentence(size: int) -> None:
    data = deflated(os.urandom(size), zlib.MAX_WBITS)
    with pytest.raises(DecodeError, match="the stream is cut off"):
        told(data[:-5])
    with pytest.raises(DecodeError, match="the stream is cut off"):
        told(b"")
    with pytest.raises(DecodeError, match="the stream is broken"):
        told(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(DecodeError, match="the stream is broken"):
        told(b"no stream at all")


def test_a_sum_over_a_limit_smaller_than_a_piece_is_seen_too() -> None:
    with pytest.raises(DecodeError, match="too much"):
        inflated(deflated(bytes(101), zlib.MAX_WBITS), 100, wbits=zlib.MAX_WBITS, what="the stream", most="too much")
