"""A folder that messages are dropped into: each file is taken in, then moved to ``done``, which is the acknowledgement."""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from hub.errors import ConfigError
from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant
from hub.services.flow import Flow, in_batches
from hub.telemetry import get_logger

SOURCE = "inbox"
"""Name of the source in the books."""

DONE = "done"
"""Folder inside the inbox of files that were taken in, whatever became of them."""

REFUSED = "refused"
"""Folder inside the inbox of files that could not even be read; the log says why."""

log = get_logger(__name__)


class Inbox:
    """Watches one folder. Whoever writes into it writes under a name that begins with a dot and renames at the end.

    Raises
    ------
    ConfigError
        The folder is not there and cannot be made.
    """

    def __init__(self, folder: Path, *, max_bytes: int, batch: int) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"intake.inbox: the hub cannot make the folder {folder}: {error.strerror}") from error
        self._folder = folder
        self._max_bytes = max_bytes
        self._batch = batch

    def take(self, flow: Flow, *, should_stop: Callable[[], bool] = lambda: False) -> int:
        """Take in what waits, in the order of names, and return how many files; a crash before a move takes that file in again.

        Parameters
        ----------
        flow
            Where messages go.
        should_stop
            Asked between two batches.
        """
        taken = 0
        for batch in in_batches(self._waiting(), self._batch):
            flow.take(batch)
            for envelope in batch:
                assert envelope.position is not None
                self._move(self._folder / envelope.position, DONE)
            taken += len(batch)
            if should_stop():
                break
        return taken

    def _waiting(self) -> Iterator[Envelope]:
        for path in sorted(self._folder.iterdir()):
            if path.name.startswith(".") or not path.is_file():
                continue
            try:
                size = path.stat().st_size
                payload = path.read_bytes() if size <= self._max_bytes else None
            except FileNotFoundError:  # taken back by whoever put it there
                continue
            except OSError as error:
                log.warning("file cannot be read", path=str(path), reason=error.strerror)
                self._move(path, REFUSED)
                continue
            if payload is None:
                log.warning("file too large", path=str(path), size_bytes=size, max_bytes=self._max_bytes)
                self._move(path, REFUSED)
                continue
            received_at = Instant.from_datetime(datetime.now(UTC))
            yield Envelope(payload=payload, source=SOURCE, received_at=received_at, position=path.name, trust=Trust.TRUSTED)

    def _move(self, path: Path, where: str) -> None:
        """Move a file without replacing an earlier one of the same name."""
        target = self._folder / where
        target.mkdir(exist_ok=True)
        names = itertools.chain([path.name], (f"{path.name}.{number}" for number in itertools.count(1)))
        path.rename(next(free for name in names if not (free := target / name).exists()))
