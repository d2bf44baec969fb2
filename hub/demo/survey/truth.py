"""What was put into a night, in files beside the packets: a row for each alert, and the counterparts."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hub.demo.survey.counterparts import Counterpart
from hub.demo.survey.light_curves import COUNTERPART, FIRST_NIGHT, KIND_NAMES
from hub.demo.survey.night import Alerts
from hub.demo.survey.tiles import columns_of, row_of
from hub.demo.survey.world import object_id_of

_SCHEMA = pa.schema(
    [
        ("source_id", pa.int64()),
        ("object_id", pa.int64()),
        ("solar_system_id", pa.int64()),
        ("kind", pa.dictionary(pa.int8(), pa.string())),
        ("visit", pa.int64()),
        ("detector", pa.int16()),
        ("mjd_tai", pa.float64()),
        ("band", pa.dictionary(pa.int8(), pa.string())),
        ("ra_deg", pa.float64()),
        ("dec_deg", pa.float64()),
        ("flux_njy", pa.float32()),
        ("flux_err_njy", pa.float32()),
        ("snr", pa.float32()),
        ("reliability", pa.float32()),
        ("n_history", pa.int32()),
        ("first_mjd_tai", pa.float64()),
        ("is_dipole", pa.bool_()),
        ("is_saturated", pa.bool_()),
    ]
)


class TruthFile:
    """A Parquet file with a row group for each visit."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer

    def add(self, alerts: Alerts) -> None:
        """Append the alerts of a visit, whose packets were all made."""
        n = len(alerts)
        if not n:
            return
        same = {
            "kind": pa.DictionaryArray.from_arrays(pa.array(alerts.kind, pa.int8()), list(KIND_NAMES)),
            "visit": pa.repeat(alerts.visit, n),
            "mjd_tai": pa.repeat(alerts.mjd_tai, n),
            "band": pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), n), [alerts.band]),
        }
        arrays = [same[field.name] if field.name in same else pa.array(getattr(alerts, field.name)) for field in _SCHEMA]
        cast = [array.cast(field.type) for array, field in zip(arrays, _SCHEMA, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(cast, schema=_SCHEMA))


@contextmanager
def truth_file(path: Path) -> Iterator[TruthFile]:
    """Give a new file of the truth of a night."""
    with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as writer:
        yield TruthFile(writer)


def counterpart_object_id(one: Counterpart) -> int:
    """Return the ``diaObjectId`` of a counterpart in the packets."""
    row = row_of(one.dec_deg)
    column = int(one.ra_deg / 360.0 * columns_of(row))
    return object_id_of(COUNTERPART, row, column, one.night - FIRST_NIGHT, one.index)


def write_counterparts(path: Path, counterparts: Sequence[Counterpart], shift_days: float = 0.0) -> None:
    """Write the table of the counterparts, those of the nights before included; times are told so many days later."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["name", "object_id", "ra_deg", "dec_deg", "t0_mjd_tai", "distance_mpc", "night", "is_target"])
        for one in counterparts:
            place = [f"{one.ra_deg:.7f}", f"{one.dec_deg:.7f}", f"{one.t0_mjd_tai + shift_days:.8f}", f"{one.distance_mpc:.3f}"]
            table.writerow([one.name, counterpart_object_id(one), *place, one.night, int(one.is_target)])
