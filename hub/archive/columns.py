"""The columns of the archive, and alerts to and from tables of them.

The position is named as the HATS standard and its readers have it (``ra``, ``dec``, ``_healpix_29``); all else as in `AlertBatch`
and `Provenance`. Nothing is null: NaN, an empty text and `NO_TIME` mean missing here too.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hub.model.alert import COLUMN_DTYPES, UNSAID, WORD_COLUMNS, AlertBatch, Provenance, Words

PIXEL = "_healpix_29"
"""HEALPix pixel at order 29, NESTED: what rows are sorted by."""

_WORDS = pa.dictionary(pa.int32(), pa.string())

SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in (
            (PIXEL, pa.int64()),
            ("ra", pa.float64()),
            ("dec", pa.float64()),
            ("survey", _WORDS),
            ("source_id", pa.int64()),
            ("object_id", pa.string()),
            ("mid_tai_us", pa.int64()),
            ("first_tai_us", pa.int64()),
            ("n_history", pa.int32()),
            ("flux_njy", pa.float64()),
            ("flux_err_njy", pa.float64()),
            ("snr", pa.float64()),
            ("reliability", pa.float64()),
            ("band", _WORDS),
            ("is_solar_system", pa.bool_()),
            ("is_negative", pa.bool_()),
            ("is_saturated", pa.bool_()),
            ("is_dipole", pa.bool_()),
            ("began_tai_us", pa.int64()),
            ("quiet_tai_us", pa.int64()),
            ("template_tai_us", pa.int64()),
            ("revision", pa.int64()),
            ("visit", pa.int64()),
            ("detector", pa.int32()),
            ("reason", _WORDS),
            ("target", _WORDS),
            ("schema", _WORDS),
            ("reliability_version", _WORDS),
            ("topic", _WORDS),
            ("partition", pa.int32()),
            ("offset", pa.int64()),
        )
    ]
)
"""Of every file with rows."""

DICTIONARY_COLUMNS = tuple(field.name for field in SCHEMA if pa.types.is_dictionary(field.type))
"""Texts of which few differ."""

PROVENANCE_COLUMNS = ("visit", "detector", *WORD_COLUMNS, "partition", "offset")
"""What a `Provenance` holds."""

ALERT_COLUMNS = tuple(name for name in SCHEMA.names if name not in PROVENANCE_COLUMNS)
"""What an `AlertBatch` needs."""

_COLUMN_OF = {"ra_deg": "ra", "dec_deg": "dec", "hpx29": PIXEL}


def table_of(batch: AlertBatch) -> pa.Table:
    """Return the rows as a table of `SCHEMA`, in their order."""
    n = len(batch)
    provenance = batch.provenance or Provenance.unknown(n)
    columns: dict[str, Any] = {"survey": _encoded(pa.array([batch.survey]).take(pa.array(np.zeros(n, dtype=np.int32))))}
    for name in COLUMN_DTYPES:
        values = getattr(batch, name)
        match name:
            case "object_id":
                columns[name] = _texts(values)
            case "band":
                columns[name] = _encoded(_texts(values))
            case _:
                columns[_COLUMN_OF.get(name, name)] = pa.array(values)
    for name in PROVENANCE_COLUMNS:
        values = getattr(provenance, name)
        columns[name] = (
            _encoded(pa.array(values.values or ("",)).take(pa.array(values.codes))) if name in WORD_COLUMNS else pa.array(values)
        )
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def batches_of(table: pa.Table) -> list[AlertBatch]:
    """Return one batch per survey, by name, rows in the table's order; with provenance where the table has all of its columns."""
    if table.num_rows == 0:
        return []
    surveys = words_of(table["survey"])
    columns = {name: _column(table, name) for name in COLUMN_DTYPES}
    provenance = _provenance(table) if set(PROVENANCE_COLUMNS) <= set(table.column_names) else None
    present = {surveys.values[code] for code in np.unique(surveys.codes).tolist()}
    if len(present) == 1:
        return [AlertBatch(survey=present.pop(), provenance=provenance, **columns)]
    names = np.array(surveys.values)[surveys.codes]
    everything = AlertBatch(survey="", provenance=provenance, **columns)
    found = []
    for name in sorted(present):
        part = everything.take(names == name)
        found.append(AlertBatch(survey=name, provenance=part.provenance, **{key: getattr(part, key) for key in COLUMN_DTYPES}))
    return found


def completed(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return a table with the columns of `UNSAID` that an older file has not, in the order asked for."""
    missing = [name for name in columns if name in UNSAID and name not in table.column_names]
    if not missing:
        return table
    for name in missing:
        values = np.full(table.num_rows, UNSAID[name], dtype=COLUMN_DTYPES[name])
        table = table.append_column(SCHEMA.field(name), pa.array(values, SCHEMA.field(name).type))
    return table.select([name for name in columns if name in table.column_names])


def words_of(column: pa.ChunkedArray) -> Words:
    """Return a column of texts, coded or plain."""
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    array = coded.unify_dictionaries().combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # no chunk at all
        return Words(np.zeros(0, dtype=np.int32), ())
    return Words(np.asarray(array.indices.to_numpy(zero_copy_only=False), dtype=np.int32), tuple(array.dictionary.to_pylist()))


def ints_of(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return a column of integers."""
    return np.asarray(column.to_numpy(), dtype=np.int64)


def bytes_of(column: pa.ChunkedArray, width: int) -> NDArray[np.bytes_]:
    """Return a column of plain texts as UTF-8 of a fixed width, padded with zeros; longer texts are cut."""
    array = pa.concat_arrays(column.cast(pa.string()).chunks) if column.num_chunks else pa.array([], pa.string())
    n = len(array)
    padded = np.zeros((n, width), dtype=np.uint8)
    if n:
        _, offset_buffer, data_buffer = array.buffers()
        offsets = np.frombuffer(offset_buffer, dtype=np.int32)[array.offset : array.offset + n + 1]
        data = np.frombuffer(data_buffer, dtype=np.uint8) if data_buffer is not None else np.zeros(0, dtype=np.uint8)
        lengths = np.diff(offsets)
        longest = int(lengths.max())
        if longest <= width and int(lengths.min()) == longest:  # ids of one survey: all of one length
            padded[:, :longest] = data[offsets[0] : offsets[-1]].reshape(n, longest)
        else:
            place = np.arange(min(longest, width))
            used = place < lengths[:, None]
            padded[:, : len(place)][used] = data[(offsets[:-1, None] + place)[used]]
    return padded.view(f"S{width}").reshape(n)


def _column(table: pa.Table, name: str) -> NDArray[Any]:
    column, dtype = table[_COLUMN_OF.get(name, name)], np.dtype(COLUMN_DTYPES[name])
    if name == "band":
        words = words_of(column)
        values: NDArray[np.bytes_] = np.array([value.encode() for value in words.values] or [b""], dtype=dtype)
        return np.asarray(values[words.codes])
    if dtype.kind == "S":
        return bytes_of(column, dtype.itemsize)
    return np.asarray(column.to_numpy(), dtype=dtype)


def _provenance(table: pa.Table) -> Provenance:
    texts = {name: words_of(table[name]) for name in WORD_COLUMNS}
    return Provenance(
        visit=np.asarray(table["visit"].to_numpy(), dtype=np.int64),
        detector=np.asarray(table["detector"].to_numpy(), dtype=np.int32),
        partition=np.asarray(table["partition"].to_numpy(), dtype=np.int32),
        offset=np.asarray(table["offset"].to_numpy(), dtype=np.int64),
        **texts,
    )


def _encoded(texts: pa.Array) -> pa.Array:
    """Return a dictionary of what is in use, each value once: neither is so for `Words`."""
    coded = texts.dictionary_encode()
    return coded if coded.type == _WORDS else coded.cast(_WORDS)


def _texts(values: NDArray[np.bytes_]) -> pa.Array:
    raw = pa.array(values)
    try:
        return raw.cast(pa.string())
    except pa.ArrowInvalid:  # no UTF-8: what cannot be text is shown as such, and the alert is kept
        return pa.array([one.decode("utf-8", "replace") for one in values.tolist()], pa.string())


def take_rows(table: pa.Table, index: NDArray[Any]) -> pa.Table:
    """Return the rows of an index or mask."""
    return table.filter(pa.array(index)) if index.dtype == bool else table.take(pa.array(index))


def concatenated(tables: Sequence[pa.Table], columns: Sequence[str] = tuple(SCHEMA.names)) -> pa.Table:
    """Return one table of all rows; dictionaries become one."""
    return pa.concat_tables(tables).unify_dictionaries() if tables else _without_rows(tuple(columns))


@cache
def _without_rows(columns: tuple[str, ...]) -> pa.Table:
    """Return the table of nothing: what most days have of the months that an event is asked for, one after another."""
    return pa.table({name: pa.array([], SCHEMA.field(name).type) for name in columns})


def best_of_each(table: pa.Table) -> NDArray[np.intp] | None:
    """Return the rows that hold, ascending: of each (survey, source id) the first of the greatest revision.

    None where all rows are of different detections, which is found faster.
    """
    survey, keys = words_of(table["survey"]), ints_of(table["source_id"])
    if _are_distinct(survey, keys):
        return None
    order = np.lexsort((-ints_of(table["revision"]), keys, survey.codes))
    return np.sort(order[_begins(survey.codes[order], keys[order])])


def first_of_versions(table: pa.Table) -> NDArray[np.intp] | None:
    """Return the first row of each version, a (survey, source id, revision), ascending; None where all rows differ."""
    survey, keys = words_of(table["survey"]), ints_of(table["source_id"])
    if _are_distinct(survey, keys):
        return None
    revision = ints_of(table["revision"])
    order = np.lexsort((revision, keys, survey.codes))
    is_first = _begins(survey.codes[order], keys[order], revision[order])
    return None if is_first.all() else np.sort(order[is_first])


def _are_distinct(survey: Words, source_id: NDArray[np.int64]) -> bool:
    """Tell whether all rows are of one survey and of different detections."""
    if len(np.unique(survey.codes)) > 1:
        return False
    ascending = np.sort(source_id)
    return not (ascending[1:] == ascending[:-1]).any()


def _begins(*columns: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which of sorted rows differ from the one before."""
    found = np.ones(len(columns[0]), dtype=bool)
    found[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return found


__all__ = [
    "ALERT_COLUMNS",
    "DICTIONARY_COLUMNS",
    "PIXEL",
    "PROVENANCE_COLUMNS",
    "SCHEMA",
    "batches_of",
    "best_of_each",
    "bytes_of",
    "completed",
    "concatenated",
    "first_of_versions",
    "ints_of",
    "table_of",
    "take_rows",
    "words_of",
]
