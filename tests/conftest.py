"""What all tests share: where the recorded messages are, and what a missing component means."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.support.demo import Played

# The same examples on every machine, and no wall clock: a slow machine is no defect of the code.
settings.register_profile("mmhub", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("mmhub")

REPOSITORY = Path(__file__).parent.parent


def missing(what: str) -> None:
    """Skip, or fail where every component is demanded (MMHUB_TEST_REQUIRE=all)."""
    if os.environ.get("MMHUB_TEST_REQUIRE") == "all":
        pytest.fail(f"required but missing: {what}")
    pytest.skip(what)


def recorded_folder() -> Path | None:
    """Return the folder of recorded messages, None where there is none."""
    named = os.environ.get("MMHUB_RECORDED")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    return folder if (folder / "manifest.json").is_file() else None


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded third-party messages, which are never part of the repository."""
    folder = recorded_folder()
    if folder is None:
        missing("no recorded messages: set MMHUB_RECORDED to their folder")
        raise AssertionError
    return folder


@pytest.fixture(scope="session")
def demo_night(tmp_path_factory: pytest.TempPathFactory) -> "Played":
    """A small demo, played once for all tests that look at what it leaves; none of them may write into its data folder."""
    from tests.support.demo import play  # noqa: PLC0415 - it imports this file

    return play(tmp_path_factory.mktemp("demo"))
