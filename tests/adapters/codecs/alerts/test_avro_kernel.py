"""The kernel as machine code: it stays inside of messages, loads late, and needs no folder to write to."""

import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=REPOSITORY, env=os.environ | environment, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(sys.platform != "linux", reason="memory is guarded by mprotect of the C library of Linux")
def test_no_byte_behind_the_end_of_a_message_is_read():
    done = python("-m", "tests.support.guarded_pages", "8000")
    assert (done.returncode, done.stdout) == (0, "8000\n"), done.stderr
    caught = python("-m", "tests.support.guarded_pages", "40", "beyond")
    assert caught.returncode == -signal.SIGSEGV


def test_who_reads_no_alerts_does_not_load_the_compiler():
    code = "import sys, hub.cli, adapters.codecs.decoder; print('numba' in sys.modules, 'llvmlite' in sys.modules)"
    assert python("-c", code).stdout == "False False\n"


READ_ONE = """
from adapters.codecs.alerts import decode_messages
from tests.support import lsst_packets
print(decode_messages([lsst_packets.framed("10.0")]).batches[0].source_id.tolist())
"""


def test_packets_are_read_where_no_folder_keeps_compiled_code():
    # Of the places where numba looks for a folder only one is left, which is none; without optimization it compiles sooner.
    only = "numba.core.caching.UserProvidedCacheLocator"
    done = python("-c", READ_ONE, NUMBA_CACHE_DIR="/proc/none", NUMBA_CACHE_LOCATOR_CLASSES=only, NUMBA_OPT="0")
    assert (done.returncode, done.stdout) == (0, "[170094456523456557]\n"), done.stderr
