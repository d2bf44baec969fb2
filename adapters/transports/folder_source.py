"""A folder that messages are dropped into: each file is taken in, then moved to ``done``, which is the acknowledgement.

Whoever writes into it writes under a name that begins with a dot and renames at the end.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from adapters.transports.folder import complaints
from hub.errors import ConfigError
from hub.model.envelope import Envelope, Trust
from hub.ports import Clock, Health, PartContext, Position
from hub.telemetry import get_logger

KIND = "folder"
"""Name in the settings."""

DONE = "done"
"""Folder inside the watched one of files that were taken in, whatever became of them."""

REFUSED = "refused"
"""Folder inside the watched one of files that could not even be read; the log says why."""

TAKE_BYTES = 256 * 2**20
"""After so many bytes one `take` ends, however many files it was asked for."""

_LOOK_S = 0.1

log = get_logger(__name__)


class Options(BaseModel):
    """A folder that is watched for new message files."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    path: Path = Field(description="Folder to watch; a relative one lies in data_dir. Made where it is missing")
    max_message_bytes: int = Field(256 * 2**20, ge=1024, le=2**31, description="Larger files are set aside unread, bytes")
    stream: str | None = Field(None, description="Stream map by which alerts in it are read; for none, the bytes tell")
    trust: Trust = Field(Trust.TRUSTED, description="Whether its notices may lead to announcements and follow-up")


class FolderSource:
    """`hub.ports.MessageSource` over the files of one folder, in the order of their names."""

    def __init__(self, folder: Path, options: Options, *, name: str, clock: Clock) -> None:
        self._folder = folder
        self._options = options
        self._name = name
        self._clock = clock
        self._taken: list[Path] = []
        self._n_done = 0

    def take(self, limit: int, timeout_s: float) -> list[Envelope]:
        """Return what waits, waiting at most the time-out for the first file; a crash before `acknowledge` takes it in again."""
        self._taken = []
        until = time.monotonic() + timeout_s
        while True:
            found: list[Envelope] = []
            size = 0
            for path, payload in self._waiting():
                self._taken.append(path)
                size += len(payload)
                found.append(
                    Envelope(
                        payload=payload,
                        source=self._name,
                        received_at=self._clock(),
                        position=path.name,
                        alert_stream=self._options.stream,
                        trust=self._options.trust,
                    )
                )
                if len(found) >= limit or size >= TAKE_BYTES:
                    break
            if found or time.monotonic() >= until:
                return found
            time.sleep(max(0.0, min(_LOOK_S, until - time.monotonic())))

    def positions(self) -> Sequence[Position]:
        """Return nothing: files have names, not offsets."""
        return ()

    def acknowledge(self) -> None:
        """Move away what `take` has returned."""
        for path in self._taken:
            self._move(path, DONE)
        self._n_done += len(self._taken)
        self._taken = []

    def health(self) -> Health:
        """Return how many files it has taken."""
        return Health(state="watching", facts={"folder": str(self._folder), "files_taken": self._n_done})

    def _waiting(self) -> Iterator[tuple[Path, bytes]]:
        for path in sorted(self._folder.iterdir()):
            if path.name.startswith(".") or not path.is_file():
                continue
            try:
                size = path.stat().st_size
                payload = path.read_bytes() if size <= self._options.max_message_bytes else None
            except FileNotFoundError:  # taken back by whoever put it there
                continue
            except OSError as error:
                log.warning("file cannot be read", path=str(path), reason=error.strerror)
                self._move(path, REFUSED)
                continue
            if payload is None:
                log.warning("file too large", path=str(path), size_bytes=size, max_bytes=self._options.max_message_bytes)
                self._move(path, REFUSED)
                continue
            yield path, payload

    def _move(self, path: Path, where: str) -> None:
        """Move a file without replacing an earlier one of the same name."""
        target = self._folder / where
        target.mkdir(exist_ok=True)
        names = itertools.chain([path.name], (f"{path.name}.{number}" for number in itertools.count(1)))
        path.rename(next(free for name in names if not (free := target / name).exists()))


def check(options: Options, context: PartContext) -> list[str]:
    """Try whether files can be moved about in the folder, and return what is wrong, in sentences; nothing stays behind."""
    return complaints(context.data_dir / options.path)


@contextmanager
def open_source(options: Options, context: PartContext) -> Iterator[FolderSource]:
    """Give the watched folder.

    Raises
    ------
    ConfigError
        It is not there and cannot be made.
    """
    folder = context.data_dir / options.path
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"the hub cannot make the folder {folder}: {error.strerror}"
        raise ConfigError(f"sources.{context.name}.path: {reason}") from error
    yield FolderSource(folder, options, name=context.name, clock=context.clock)
