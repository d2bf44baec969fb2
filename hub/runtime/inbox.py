"""A folder that messages are dropped into: each file is taken in, then moved to ``done``, which is the acknowledgement."""

from datetime import UTC, datetime
from pathlib import Path

from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant
from hub.services.flow import Flow, in_batches
from hub.telemetry import get_logger

SOURCE = "inbox"
"""Name of the source in the books."""

log = get_logger(__name__)


class Inbox:
    """Watches one folder. Whoever writes into it writes under a name that begins with a dot and renames at the end."""

    def __init__(self, folder: Path, *, max_bytes: int, batch: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._batch = batch

    def take(self, flow: Flow) -> int:
        """Take in at most one batch of files and return how many; a crash before the move takes them in again, as duplicates."""
        self._folder.mkdir(parents=True, exist_ok=True)
        waiting = sorted(path for path in self._folder.iterdir() if path.is_file() and not path.name.startswith("."))
        envelopes: list[Envelope] = []
        for path in waiting[: self._batch]:
            if path.stat().st_size > self._max_bytes:
                log.warning("file too large", path=str(path))
                self._move(path, "refused")
                continue
            received_at = Instant.from_datetime(datetime.now(UTC))
            envelopes.append(
                Envelope(
                    payload=path.read_bytes(), source=SOURCE, received_at=received_at, position=path.name, trust=Trust.TRUSTED
                )
            )
        for batch in in_batches(envelopes, self._batch):
            flow.take(batch)
            for envelope in batch:
                assert envelope.position is not None
                self._move(self._folder / envelope.position, "done")
        return len(envelopes)

    def _move(self, path: Path, where: str) -> None:
        target = self._folder / where
        target.mkdir(exist_ok=True)
        path.replace(target / path.name)
