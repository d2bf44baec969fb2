"""``mmhub compact``: closed nights of the archive as HATS catalogs, and their visits in the ledger, without waiting."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.invocation import EXIT_NOTHING_FOUND, start
from hub.cli.listing import AsJson
from hub.cli.output import emit, say
from hub.errors import InvalidRequest, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hub.archive.compaction import Compacted
    from hub.config import Settings

Nights = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NIGHT...", help="As MJD (61000) or as the date of its evening (20251121); default: all that are over."
    ),
]
"""What is compacted."""

LEASE = "archive"
"""Who holds it may merge, compact and delete."""

LEASE_S = 300.0
"""How long it is taken, seconds; it is held longer while there is work."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(compact)


def compact(context: typer.Context, nights: Nights = None, as_json: AsJson = False) -> None:
    """Make one sorted HATS catalog of each night that is over, for LSDB and for faster searches.

    The visits of all nights that are over are written to the ledger too. `mmhub run` does both by itself: the catalogs six hours
    after the noon that ends the night, the visits ten minutes after their last alerts.
    """
    settings = start(context)
    from hub.archive import compaction
    from hub.bootstrap import now as present

    now, folder = present(), settings.archive_folder
    chosen = [_night(text) for text in nights or ()]
    for night in chosen:
        if now.minus(compaction.night_end(night)) < 0:
            raise InvalidRequest(f"the night {night} is not over before {compaction.night_end(night).to_utc_iso()}")
    found, n_visits = _compact_all(settings, folder, chosen or compaction.open_nights(folder, now, after_s=0.0))
    if not found:
        say("no night has rows that are in no catalog")
    for one in found:
        emit(_body(one)) if as_json else say(_line(one))
    if n_visits:
        say(f"{n_visits} visits written to the ledger: mmhub searched tells of them")
    if not found and not n_visits:
        raise typer.Exit(EXIT_NOTHING_FOUND)


def _compact_all(settings: "Settings", folder: "Path", nights: list[int]) -> "tuple[list[Compacted], int]":
    """Compact nights one after the other under the lease, and write the visits of all that are over.

    Returns
    -------
    found, n_visits
        The nights that had new files, and how many visits were written.
    """
    from hub.archive import compaction, owner
    from hub.archive.layout import night_of
    from hub.archive.visits_ledger import VisitLedger
    from hub.bootstrap import now, open_database, open_history
    from hub.services import coverage, searched
    from hub.services.instance import this_process
    from hub.storage import leases
    from hub.storage.identity import identity

    holder = f"{this_process()}/compact"
    with open_database(settings) as store:

        def keep() -> None:
            moment = now()
            with store.transaction() as session:
                if not leases.acquire(session, LEASE, holder, now=moment, until=moment.plus_s(LEASE_S)):
                    raise StorageError("another process of the hub merges or compacts the archive: try again in some minutes")

        keep()
        try:
            if folder.is_dir():
                with store.transaction() as session:
                    database = identity(session)
                if owner.claim(folder, database) != database:
                    raise StorageError(owner.foreign(folder))
            done = [compaction.compact(folder, night, keep=_seldom(keep)) for night in nights]
            with store.reading() as session:
                full = searched.surveys_in_full(coverage.heard(session))
            ledger = VisitLedger(open_history(settings), searched.cameras(), quiet_s=0.0)
            moment = now()
            n_visits = ledger.update(full, moment, _seldom(keep), before=night_of(moment.tai_us))
        finally:
            with store.transaction() as session:
                leases.release(session, LEASE, holder)
    return [one for one in done if one is not None], n_visits


def _seldom(keep: "Callable[[], None]") -> "Callable[[], None]":
    """Return a function that does the same when it was not done lately."""
    import time

    last = time.monotonic()

    def call() -> None:
        nonlocal last
        if time.monotonic() - last > LEASE_S / 10:
            keep()
            last = time.monotonic()

    return call


def _night(text: str) -> int:
    """Return the night that a word of the command line means."""
    from hub.model.instant import Instant

    is_number = text.isascii() and text.isdigit()
    if is_number and len(text) == 5:
        return int(text)
    if is_number and len(text) == 8:
        try:
            return int(Instant.from_utc_iso(f"{text[:4]}-{text[4:6]}-{text[6:]}T00:00:00Z").mjd_utc)
        except ValueError:
            pass
    raise InvalidRequest(f"{text} is no night: it must be an MJD such as 61000, or a date such as 20251121")


def _body(one: "Compacted") -> dict[str, Any]:
    return {"night": one.night, "rows": one.n_rows, "partitions": one.n_partitions, "files": one.n_files, "repeats": one.repeats}


def _line(one: "Compacted") -> str:
    dropped = sum(one.repeats.values())
    rest = f"; {dropped} repeats left out" if dropped else ""
    return (
        f"night {one.night}: {one.n_files} files became a catalog of {one.n_rows} alerts in {one.n_partitions} partitions{rest}"
    )
