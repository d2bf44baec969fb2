"""Out of the collector's sight means neither looked at nor lost."""

import gc

from hub.runtime.memory import settle


def test_what_is_loaded_at_the_start_is_not_looked_at_again() -> None:
    before = gc.get_freeze_count()
    settle()
    try:
        assert gc.get_freeze_count() > before + 10_000
        assert gc.isenabled()
    finally:
        gc.unfreeze()
