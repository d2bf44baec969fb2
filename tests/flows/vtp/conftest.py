"""What the flows over VTP share."""

from pathlib import Path

import pytest

from tests.conftest import missing
from tests.support import comet


@pytest.fixture(scope="session")
def comet_parts() -> Path:
    """The environment with Comet and pygcn; a test that names it may start them."""
    try:
        return comet.prepare()
    except comet.CometMissing as reason:
        missing(str(reason))
        raise AssertionError from None
