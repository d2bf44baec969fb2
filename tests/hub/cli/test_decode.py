"""The contract of ``mmhub decode --json``, on messages of our own making."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from hub.cli.app import main
from hub.science.skymap_fits import to_fits
from tests.support import json_notices, lsst_packets
from tests.support.skymaps import gaussian_map, with_distance

NOTICE_KEYS = [
    *(
        "path",
        "index",
        "kind",
        "format",
        "ivorn",
        "stream",
        "mission",
        "instrument",
        "messenger",
        "role",
        "stage",
        "event_id",
        "aliases",
    ),
    *("t0", "ra_deg", "dec_deg", "radius_deg", "containment", "systematic_included", "far_hz", "classification", "skymap"),
]
ALERT_KEYS = [
    *("path", "index", "kind", "format", "source_id", "object_id", "ra_deg", "dec_deg", "mjd_tai", "band", "flux_njy", "snr"),
    *("reliability", "is_solar_system", "n_history"),
]
MAP_KEYS = ["n_tiles", "area50_deg2", "area90_deg2", "dist_mean_mpc", "dist_std_mpc"]


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def map_bytes() -> bytes:
    return to_fits(with_distance(gaussian_map(197.45, -23.38, 3.0), 40.0, 8.0))


def decode(capsys: pytest.CaptureFixture[str], *files: str, code: int = 0) -> list[dict[str, Any]]:
    assert main(["decode", *files, "--json"]) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return [json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} in JSON")) for line in out.splitlines()]


def test_notice_has_exactly_the_promised_keys(capsys: pytest.CaptureFixture[str]) -> None:
    Path("gbm.json").write_bytes(json_notices.as_bytes(json_notices.gbm()))
    (record,) = decode(capsys, "gbm.json")
    assert list(record) == NOTICE_KEYS
    assert (record["path"], record["index"], record["kind"], record["format"]) == ("gbm.json", 0, "notice", "gcn-unified")
    assert record["messenger"] == "em"
    assert record["t0"].endswith("Z")
    assert len(record["t0"].partition(".")[2]) == 7
    assert record["skymap"] is None


def test_embedded_map_is_read_into_its_numbers(capsys: pytest.CaptureFixture[str], map_bytes: bytes) -> None:
    alert = json_notices.igwn_alert()
    alert["event"]["skymap"] = base64.b64encode(map_bytes).decode()
    Path("igwn.json").write_bytes(json_notices.as_bytes(alert))
    (record,) = decode(capsys, "igwn.json")
    assert list(record) == NOTICE_KEYS
    assert record["event_id"] == "S260301b"
    assert record["classification"]["BNS"] == 0.7
    numbers = record["skymap"]
    assert list(numbers) == MAP_KEYS
    assert numbers["n_tiles"] == 21_504
    # A Gaussian on a plane holds 50 % within 1.1774 sigma and 90 % within 2.1460 sigma; the sphere's curvature is below 1 % at 3 deg.
    assert numbers["area50_deg2"] == pytest.approx(3.14159 * (1.1774 * 3) ** 2, rel=0.01)
    assert numbers["area90_deg2"] == pytest.approx(3.14159 * (2.1460 * 3) ** 2, rel=0.01)
    assert numbers["dist_mean_mpc"] == pytest.approx(40, rel=1e-3)
    assert numbers["dist_std_mpc"] == pytest.approx(8, rel=1e-3)


@pytest.mark.parametrize("skymap", [json_notices.TINY_FITS, b"404 Not Found"])
def test_refused_map_does_not_lose_the_notice(capsys: pytest.CaptureFixture[str], skymap: bytes) -> None:
    alert = json_notices.igwn_alert()
    alert["event"]["skymap"] = base64.b64encode(skymap).decode()
    Path("igwn.json").write_bytes(json_notices.as_bytes(alert))
    (record,) = decode(capsys, "igwn.json")
    assert list(record) == [*NOTICE_KEYS, "skymap_refused"]
    assert record["kind"] == "notice"
    assert record["skymap"] is None
    assert record["skymap_refused"]


def test_bare_map_has_the_same_numbers(capsys: pytest.CaptureFixture[str], map_bytes: bytes) -> None:
    Path("map.fits").write_bytes(map_bytes)
    (record,) = decode(capsys, "map.fits")
    assert list(record) == ["path", "index", "kind", "format", *MAP_KEYS]
    assert (record["kind"], record["format"], record["n_tiles"]) == ("skymap", "fits", 21_504)


def test_each_alert_of_a_container_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    packets = [lsst_packets.record("10.0", diaSourceId=2**60 + n) for n in range(3)]
    Path("alerts.avro").write_bytes(lsst_packets.container("10.0", packets))
    records = decode(capsys, "alerts.avro")
    assert [list(record) for record in records] == [ALERT_KEYS] * 3
    assert [record["index"] for record in records] == [0, 1, 2]
    assert [record["source_id"] for record in records] == [str(2**60 + n) for n in range(3)]
    assert {record["format"] for record in records} == {"lsst-10.0"}


def test_bad_alert_of_a_container_is_rejected_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    packets = [lsst_packets.record("10.0", ra=ra) for ra in (10.0, 400.0, 20.0)]
    Path("alerts.avro").write_bytes(lsst_packets.container("10.0", packets))
    first, second, third = decode(capsys, "alerts.avro", code=1)
    assert (first["ra_deg"], third["ra_deg"], third["index"]) == (10.0, 20.0, 2)
    assert second == {
        "path": "alerts.avro",
        "index": 1,
        "kind": "rejected",
        "format": "lsst-10.0",
        "reason": "right ascension 400.0 deg is outside [0, 360)",
    }


def test_alert_of_no_believable_time_is_shown_with_a_remark(capsys: pytest.CaptureFixture[str]) -> None:
    Path("alert.bin").write_bytes(lsst_packets.framed("7.1", midpointMjdTai=1480360995.0))
    (record,) = decode(capsys, "alert.bin")
    assert list(record) == [*ALERT_KEYS, "refused_by_intake"]
    assert record["mjd_tai"] == 1480360995.0
    assert "no believable time" in record["refused_by_intake"]


def test_framed_alert_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("alert.bin").write_bytes(lsst_packets.framed("7.1"))
    (record,) = decode(capsys, "alert.bin")
    assert list(record) == ALERT_KEYS
    assert record["format"] == "lsst-7.1"


def test_circular_is_context(capsys: pytest.CaptureFixture[str]) -> None:
    Path("circular.json").write_bytes(json_notices.as_bytes(json_notices.circular()))
    (record,) = decode(capsys, "circular.json")
    assert list(record) == ["path", "index", "kind", "format", "summary"]
    assert record["kind"] == "circular"


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x00\xff" * 50, b"{}", b"[]", b"<html/>", b"PK\x03\x04" + bytes(100), b"\x1f\x8b\x08"]
)
def test_file_that_is_no_message_is_rejected(capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    Path("x").write_bytes(content)
    (record,) = decode(capsys, "x", code=1)
    assert list(record) == ["path", "index", "kind", "format", "reason"]
    assert record["kind"] == "rejected"
    assert record["reason"]


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00\xff" * 50])
def test_bytes_of_no_format_are_not_a_message(capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    Path("x").write_bytes(content)
    (record,) = decode(capsys, "x", code=1)
    assert record["reason"].startswith("not a message")


def test_missing_file_is_rejected_and_the_others_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    Path("gbm.json").write_bytes(json_notices.as_bytes(json_notices.gbm()))
    missing, notice = decode(capsys, "none.json", "gbm.json", code=1)
    assert (missing["path"], missing["kind"], missing["reason"]) == (
        "none.json",
        "rejected",
        "cannot be read: No such file or directory",
    )
    assert notice["kind"] == "notice"


def test_folder_is_walked_in_order_without_hidden_files(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("b/2.json", "b/1.json", "a.json", ".hidden/x.json", "b/.swp"):
        path = Path("folder") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(json_notices.as_bytes(json_notices.gbm()))
    assert [record["path"] for record in decode(capsys, "folder")] == ["folder/a.json", "folder/b/1.json", "folder/b/2.json"]


def test_empty_folder_is_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    (record,) = decode(capsys, "empty", code=1)
    assert (record["kind"], record["reason"]) == ("rejected", "a folder without files")


def test_file_over_the_limit_is_rejected_unread(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMHUB_INTAKE__MAX_MESSAGE_BYTES", "1024")
    Path("big").write_bytes(bytes(1025))
    (record,) = decode(capsys, "big", code=1)
    assert record["reason"] == "larger than intake.max_message_bytes, 1024 bytes"


def test_text_for_people_is_one_line_a_message_without_foreign_controls(
    capsys: pytest.CaptureFixture[str], map_bytes: bytes
) -> None:
    Path("gbm.json").write_bytes(json_notices.as_bytes(json_notices.gbm()))
    Path("map.fits").write_bytes(map_bytes)
    Path("alert.bin").write_bytes(lsst_packets.framed("10.0"))
    Path("circular.json").write_bytes(json_notices.as_bytes(json_notices.circular()))
    evil = "evil\x1b]0;title\x07.xml"
    Path(evil).write_bytes(b"<x>")
    assert main(["decode", "gbm.json", "map.fits", "alert.bin", "circular.json", evil]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1].rstrip(":") for line in lines] == ["notice", "skymap", "alert", "circular", "rejected"]
    assert "\x1b" not in "".join(lines)


def test_recorded_messages_each_have_a_line(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted(path for path in recorded.rglob("*") if path.is_file())
    main(["decode", str(recorded), "--json"])
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {record["path"] for record in records} == {str(path) for path in files}
    by_kind = {record["kind"] for record in records}
    assert {"notice", "alert", "skymap", "circular", "rejected"} <= by_kind
    for record in records:
        if record["kind"] == "notice":
            assert [key for key in record if key != "skymap_refused"] == NOTICE_KEYS
        if record["kind"] == "alert":
            assert [key for key in record if key != "refused_by_intake"] == ALERT_KEYS
        if record["kind"] == "rejected":
            assert record["reason"]


def test_a_stream_map_reads_what_the_bytes_alone_do_not_tell(capsys: pytest.CaptureFixture[str]) -> None:
    Path("packet.json").write_text('{"candid": 5, "oid": "ZTF26a", "ra": 10, "dec": 20, "t": 2461000.5, "class": "SN"}')
    Path("mine.toml").write_text(
        """
name = "mine"
title = "mine"
survey = "ZTF"
wire = "json"
id = { source = "candid", object = "oid" }
position = { ra = "ra", dec = "dec" }
time = { field = "t", scale = "jd_utc" }
selection = { kind = "filtered", cuts = "some" }
annotations = [{ field = "class", kind = "classification", source = "me" }]
"""
    )
    assert main(["decode", "--json", "--stream", "mine.toml", "packet.json"]) == 0
    (record,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (record["kind"], record["format"], record["source_id"], record["ra_deg"]) == ("alert", "mine", "5", 10.0)
    assert record["annotations"][0]["value"] == {"class": "SN"}
    assert main(["decode", "--json", "packet.json"]) == 1
    assert main(["decode", "--stream", "ztv", "packet.json"]) != 0
    assert "there is no such stream map" in capsys.readouterr().err
