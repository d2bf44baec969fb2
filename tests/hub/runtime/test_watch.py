"""The loop that watches: what it finds is told at once, not with the next report."""

import asyncio

from sqlalchemy import text

from hub.model.instant import Instant
from hub.runtime.watch import Watch
from tests.support.api_night import api

T0 = Instant.from_utc_iso("2026-11-23T00:00:00Z")


def watched(store, *, until_told):
    """Run the loop until it has told of a change, or until it has looked."""
    told = []
    watch = Watch(
        store, lambda: T0, count_alerts=lambda: 0, echoes={}, healths={}, on_change=lambda: told.append(watch.health().alarms)
    )

    async def main():
        stop = asyncio.Event()
        running = asyncio.ensure_future(watch.body(stop))
        async with asyncio.timeout(60):
            while not (told if until_told else watch.health().facts["looked_at"]):  # noqa: ASYNC110 - the watch has no event
                await asyncio.sleep(0.01)
        stop.set()
        await running

    asyncio.run(main())
    return told


def test_what_is_found_is_told_at_once_and_nothing_where_all_is_well(tmp_path):
    with api(tmp_path) as (_, store):
        assert watched(store, until_told=False) == []
        with store.transaction() as session:
            session.execute(text("DELETE FROM notices"))
        ((alarm,),) = watched(store, until_told=True)
    assert "what they said is gone" in alarm
