"""The hub is back quickly: what it is put together from loads nothing that only some messages need."""

import subprocess
import sys

from tests.conftest import REPOSITORY

FOR_SOME = ("astroplan", "astropy.coordinates", "ligo.skymap", "scipy")
"""Packages of a third of a second and more each."""


def test_putting_the_hub_together_loads_nothing_that_only_some_messages_need() -> None:
    code = f"import sys, hub.bootstrap; print([name for name in {FOR_SOME} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=REPOSITORY, check=True)
    assert done.stdout.strip() == "[]"
