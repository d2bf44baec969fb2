"""What time it is."""

from datetime import UTC, datetime

from hub.model.instant import Instant


def now() -> Instant:
    """Return the present moment by this machine's clock."""
    return Instant.from_datetime(datetime.now(UTC))
