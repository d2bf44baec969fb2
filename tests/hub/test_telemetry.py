import io
import json
from collections.abc import Iterator

import pytest
import structlog

from hub import telemetry

CANARY = "hunter2-canary"


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    before = structlog.get_config()
    structlog.reset_defaults()
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_never_reach_the_log(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    telemetry.configure("debug", json=as_json)
    log = telemetry.get_logger("test", api_key=CANARY)
    log.warning(
        "connecting", password=CANARY, nested={"deep": [{"Access-Token": CANARY}]}, url=f"postgresql://me:{CANARY}@host/db"
    )
    log.warning(f"cannot reach amqp://me:{CANARY}@host")  # noqa: G004 - as a careless caller would
    try:
        raise OSError(f"refused: https://me:{CANARY}@host/")  # noqa: TRY301 - to have a traceback
    except OSError:
        log.exception("went wrong", client_secret=CANARY)
    out, err = capsys.readouterr()
    assert out == ""
    assert CANARY not in err
    assert err.count("[redacted]") >= 6


@pytest.mark.parametrize("as_json", [True, False])
def test_foreign_text_forges_no_line(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    telemetry.configure("info", json=as_json)
    telemetry.get_logger("test").info("refused", reason="bad\n2026 [info] all is well\x1b[2J")
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "\x1b" not in err


def test_json_lines_are_objects_with_level_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure("info", json=True)
    telemetry.get_logger("intake").info("notice stored", ivorn="ivo://x/y", latency_s=1.5)
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "notice stored"
    assert (line["level"], line["component"], line["ivorn"], line["latency_s"]) == ("info", "intake", "ivo://x/y", 1.5)
    assert line["timestamp"].endswith("Z")


def test_lines_below_the_level_are_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure("warning")
    telemetry.get_logger("test").info("quiet")
    assert capsys.readouterr().err == ""


def test_a_logger_made_before_the_setup_follows_it(capsys: pytest.CaptureFixture[str]) -> None:
    early = telemetry.get_logger("early")
    telemetry.configure("error")
    early.warning("quiet")
    early.error("loud")
    assert "loud" in capsys.readouterr().err


def fail_with(secret: str, payload: bytes) -> None:
    """Fail with locals that must not be seen."""
    raise ValueError("cannot be decoded")


@pytest.mark.parametrize("setup", ["none", "text", "json"])
def test_a_traceback_shows_lines_of_code_but_never_values(capsys: pytest.CaptureFixture[str], setup: str) -> None:
    if setup != "none":
        telemetry.configure("info", json=setup == "json")
    log = telemetry.get_logger("test")
    secret, payload = CANARY, b"stranger"
    try:
        fail_with(secret, payload)
    except ValueError as error:
        log.exception("went wrong")
        log.warning("went wrong again", exc_info=error)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("ValueError: cannot be decoded") == 2
    assert CANARY not in err
    assert "stranger" not in err


def test_a_logger_outlives_the_stream_it_first_wrote_to(monkeypatch: pytest.MonkeyPatch) -> None:
    telemetry.configure("info")
    log = telemetry.get_logger("test")
    for _ in range(2):
        stream = io.StringIO()
        monkeypatch.setattr("sys.stderr", stream)
        log.info("still here")
        assert "still here" in stream.getvalue()
        stream.close()


def test_a_line_has_no_room_for_a_payload(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure("info")
    log = telemetry.get_logger("test")
    try:
        raise ValueError("x" * 1_000_000)  # noqa: TRY301 - to have a traceback
    except ValueError:
        log.exception("went wrong", reason="y" * 1_000_000)
    assert len(capsys.readouterr().err) < 20_000
