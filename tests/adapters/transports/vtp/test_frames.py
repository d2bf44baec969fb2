import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.transports.vtp.frames import MAX_BYTES, BadFrame, framed, read_frame


def frames_of(pieces, *, max_bytes=MAX_BYTES, ends=True, idle_s=30.0, whole_s=30.0):
    """Feed pieces of a stream one by one and return what is read, up to its end."""

    async def feed_and_read():
        reader = asyncio.StreamReader()

        async def feed():
            for piece in pieces:
                reader.feed_data(piece)
                await asyncio.sleep(0)
            if ends:
                reader.feed_eof()

        async def read_all():
            found = []
            while (frame := await read_frame(reader, max_bytes=max_bytes, idle_s=idle_s, whole_s=whole_s)) is not None:
                found.append(frame)
            return found

        async with asyncio.TaskGroup() as group:
            feeding = group.create_task(feed())
            reading = group.create_task(read_all())
        assert feeding.done()
        return reading.result()

    try:
        return asyncio.run(feed_and_read())
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None


@given(payloads=st.lists(st.binary(max_size=300), max_size=8), data=st.data())
def test_any_split_of_the_stream_gives_the_same_frames(payloads, data):
    stream = b"".join(map(framed, payloads))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert frames_of([piece for piece in pieces if piece]) == payloads


@given(payload=st.binary(min_size=1, max_size=200), data=st.data())
def test_a_stream_that_ends_in_the_middle_of_a_message_is_refused(payload, data):
    cut = data.draw(st.integers(1, len(payload) + 3))
    with pytest.raises(BadFrame, match="ended in the middle of a message"):
        frames_of([framed(payload)[:cut]])


@given(header=st.integers(MAX_BYTES + 1, 2**32 - 1).map(lambda n: n.to_bytes(4, "big")))
def test_a_length_over_the_limit_is_refused_from_its_four_bytes_alone(header):
    with pytest.raises(BadFrame):
        frames_of([header], ends=False)


@given(junk=st.binary(max_size=400))
def test_junk_gives_frames_or_a_sentence(junk):
    try:
        frames = frames_of([junk], max_bytes=100)
    except BadFrame:
        return
    assert b"".join(map(framed, frames)) == junk


@pytest.mark.parametrize(
    ("first", "who"),
    [
        (b"GET / HTTP/1.1\r\n", "an HTTP client"),
        (b"POST /api HTTP/1.1\r\n", "an HTTP client"),
        (b"\x16\x03\x01\x02\x00\x01", "a TLS client"),
        (b"SSH-2.0-x\r\n", "an SSH peer"),
        (b"<?xml version='1.0'?>", "XML without its length"),
        ((500).to_bytes(4, "little") + b"<", "most significant comes first"),
        (b"\xff\xff\xff\xff", "4294967295 bytes"),
    ],
)
def test_a_stranger_is_recognised_by_its_first_bytes(first, who):
    with pytest.raises(BadFrame, match=who):
        frames_of([first], ends=False)


def test_the_longest_message_passes_and_one_byte_more_does_not():
    assert frames_of([framed(b"x" * 1000)], max_bytes=1000) == [b"x" * 1000]
    with pytest.raises(BadFrame, match="1001 bytes"):
        frames_of([framed(b"x" * 1001)], max_bytes=1000)


def test_a_message_that_never_ends_is_given_up():
    with pytest.raises(BadFrame, match="was not complete"):
        frames_of([framed(b"half of it")[:8]], ends=False, whole_s=0.01)


def test_a_silent_peer_is_told_from_a_slow_one():
    with pytest.raises(TimeoutError):
        frames_of([], ends=False, idle_s=0.01)
