"""A hub that listens to the broker of the tests, alone or in company."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.json_notices import as_bytes, circular
from tests.support.running_hub import SOURCE


@pytest.fixture
def hub_config(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes the settings of a hub that listens to one topic; the group has the topic's name."""

    def write(bootstrap: str, topic: str) -> Path:
        path = tmp_path / "mmhub.toml"
        path.write_text(f"""
[hub]
data_dir = "{tmp_path / "data"}"

[followup]
enabled = false

[sources.{SOURCE}]
kind = "kafka"
bootstrap_servers = "{bootstrap}"
security = "plaintext"
topics = ["{topic}"]
group_id = "{topic}"
session_timeout_s = 6
""")
        return path

    return write


@pytest.fixture
def letters() -> Callable[[int, int], list[bytes]]:
    """Makes messages that all differ: circulars, which are kept and set nothing in motion, numbered from a first one."""

    def make(first: int, number: int) -> list[bytes]:
        return [as_bytes(circular(circularId=first + n, subject=f"GRB 260301A: letter {first + n}")) for n in range(number)]

    return make


@pytest.fixture
def digest() -> Callable[[bytes], str]:
    """The name that the hub's books have for some bytes."""
    return lambda payload: hashlib.sha256(payload).hexdigest()
