"""Build everything heavy that the tests keep on this machine, so that no test waits for it: ``python -m tests.support.prepare``."""

import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from hub.errors import HubError
from tests.support import kafka_server, portal_parts

BUILDERS: dict[str, Callable[[], Path]] = {"Apache Kafka": kafka_server.prepare, "observation portal": portal_parts.prepare}
"""What is built: each returns its folder, at once where it is there already, or says in one sentence why not."""

if find_spec("tests.support.comet") is not None:  # pragma: no branch
    BUILDERS["Comet"] = import_module("tests.support.comet").prepare


def main() -> int:
    """Build all, say how long each took; 1 where something is missing."""
    failed = 0
    for name, build in BUILDERS.items():
        begin = time.monotonic()
        try:
            said = str(build())
        except HubError as error:
            failed = 1
            said = f"missing: {error}"
        print(f"{name}: {time.monotonic() - begin:.1f} s, {said}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
