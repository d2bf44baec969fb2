"""Packets as Avro object containers: one file after the other, each as large as intake takes, read by any Avro library.

Layout: Avro 1.11 specification, "Object Container Files"; blocks are not compressed, and hold the packets without their framing.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from hub.demo.avro_rows import encode_bytes, encode_long

MAX_FILE_BYTES = 48 << 20
"""Largest file: below what `mmhub ingest` takes at once."""

MAX_FILE_PACKETS = 5_000
"""Most packets in a file: below what a container may hold."""

BLOCK_BYTES = 4 << 20
"""About the size of a block."""

FRAME_BYTES = 5
"""Of each packet: the Confluent framing, which containers do not have."""


class ContainerFolder:
    """Numbered container files of one night; the same packets make the same files.

    Parameters
    ----------
    folder
        Where they go; it is made.
    name
        Begin of their names.
    schema
        Of the packets.
    """

    def __init__(self, folder: Path, name: str, schema: dict[str, Any]) -> None:
        self._folder = folder
        self._name = name
        text = json.dumps(schema, separators=(",", ":")).encode()
        self._sync = hashlib.md5(text, usedforsecurity=False).digest()
        metadata = encode_bytes(b"avro.schema") + encode_bytes(text) + encode_bytes(b"avro.codec") + encode_bytes(b"null")
        self._header = b"Obj\x01" + encode_long(2) + metadata + encode_long(0) + self._sync
        self._file: BinaryIO | None = None
        self._block: list[bytes] = []
        self._block_bytes = self._file_bytes = self._file_packets = 0
        self.n_files = 0
        """Files begun."""

        self.n_bytes = 0
        """Bytes written, those of the last block not yet counted."""

        folder.mkdir(parents=True, exist_ok=True)

    def add(self, packet: bytes) -> None:
        """Append one packet."""
        size = len(packet) - FRAME_BYTES
        if self._file is not None and (
            self._file_bytes + self._block_bytes + size > MAX_FILE_BYTES or self._file_packets >= MAX_FILE_PACKETS
        ):
            self.finish()
        if self._file is None:
            self._begin()
        self._block.append(packet)
        self._block_bytes += size
        self._file_packets += 1
        if self._block_bytes >= BLOCK_BYTES:
            self._flush()

    def finish(self) -> None:
        """Close the present file."""
        if self._file is not None:
            self._flush()
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        self.n_files += 1
        self._file = (self._folder / f"{self._name}-{self.n_files:06d}.avro").open("wb")
        self._file_bytes = self._file_packets = 0
        self._write(self._header)

    def _flush(self) -> None:
        if self._block:
            self._write(encode_long(len(self._block)) + encode_long(self._block_bytes))
            self._write(b"".join(memoryview(packet)[FRAME_BYTES:] for packet in self._block))
            self._write(self._sync)
        self._block, self._block_bytes = [], 0

    def _write(self, data: bytes) -> None:
        assert self._file is not None, "a file is begun before anything is written"
        self._file.write(data)
        self._file_bytes += len(data)
        self.n_bytes += len(data)


@contextmanager
def containers(folder: Path, name: str, schema: dict[str, Any]) -> Iterator[ContainerFolder]:
    """Give a writer of container files; the last one is closed at the end."""
    writer = ContainerFolder(folder, name, schema)
    try:
        yield writer
    finally:
        writer.finish()
