"""Tables of the Transient Name Server in our own words, with its columns."""

import csv
import io
import zipfile

COLUMNS = [
    "objid",
    "name_prefix",
    "name",
    "ra",
    "declination",
    "redshift",
    "typeid",
    "type",
    "reporting_groupid",
    "reporting_group",
    "source_groupid",
    "source_group",
    "discoverydate",
    "discoverymag",
    "discmagfilter",
    "filter",
    "reporters",
    "time_received",
    "internal_names",
    "Discovery_ADS_bibcode",
    "Class_ADS_bibcodes",
    "creationdate",
    "lastmodified",
]

ROW = {
    "objid": "1",
    "name_prefix": "SN",
    "name": "2026abc",
    "ra": "154.0001",
    "declination": "-20.3",
    "redshift": "0.0123",
    "typeid": "3",
    "type": "SN Ia",
    "reporting_group": "Nobody",
    "discoverydate": "2026-03-01 10:00:00.000",
    "discoverymag": "19.5",
    "filter": "r-ZTF",
    "reporters": "A. Nobody, B. Nobody",
    "internal_names": "ZTF26abcdefg, XYZ26a",
    "creationdate": "2026-03-01 12:00:00",
    "lastmodified": "2026-03-02 01:00:00",
}


def table(*rows, first_line=True):
    """Return the bytes of a table; each row is what differs from `ROW`."""
    text = io.StringIO()
    if first_line:
        text.write('"2026-03-03 00:00:00"\n')
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        said = ROW | row
        writer.writerow([said.get(name, "") for name in COLUMNS])
    return text.getvalue().encode()


def zipped(payload, name="tns_public_objects.csv"):
    """Return a ZIP archive with one member."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(zipfile.ZipInfo(name), payload, compress_type=zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def api_object(**changes):
    """Return an answer of the API about one object."""
    inner = {
        "objname": "2026abc",
        "name_prefix": "SN",
        "objid": 1,
        "object_type": {"name": "SN Ia", "id": 3},
        "redshift": 0.0123,
        "ra": "10:16:00.024",
        "dec": "-20:18:00.0",
        "radeg": 154.0001,
        "decdeg": -20.3,
        "hostname": "NGC 1   ",
        "internal_names": "ZTF26abcdefg",
        "discoverydate": "2026-03-01 10:00:00.000",
        "discoverymag": 19.5,
        "discmagfilter": {"id": 111, "name": "r", "family": "ZTF"},
        "reporting_group": {"groupid": 1, "group_name": "Nobody"},
    }
    return {"id_code": 200, "id_message": "OK", "data": inner | changes}
