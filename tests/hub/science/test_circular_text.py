"""What is found in prose: the forms that circulars have, what must not be found, and texts made to hurt."""

import time

import pytest

from hub.model.annotation import AnnotationKind
from hub.science.circular_text import MAX_PROPOSALS, propose

POSITION, REDSHIFT, NAME, CANDIDATE = (
    AnnotationKind.POSITION,
    AnnotationKind.REDSHIFT,
    AnnotationKind.NAME,
    AnnotationKind.CANDIDATE,
)


def found(text, kind):
    return [dict(one.value) for one in propose(text) if one.kind is kind]


@pytest.mark.parametrize(
    ("text", "ra", "dec", "radius"),
    [
        ("at RA = 197.4504, Dec = -23.3815 (J2000)", 197.4504, -23.3815, None),
        ("RA(J2000) = 13:09:48.09, Dec(J2000) = -23:22:53.3", 197.450375, -23.381472, None),
        (
            "RA (J2000): 00h 24m 42.68s\nDec (J2000): +11d 52' 47.2\"\nwith an error radius of 1.4 arcmin.",
            6.177833,
            11.879778,
            84.0,
        ),
        (
            "ra = 07h02m38.02170s dec = 38d50'44.0170\" (equinox\nJ2000) with an uncertainty of 0.05 arcsec",
            105.658424,
            38.84556,
            0.05,
        ),
        ("It lies at RA = 10.5, Dec = 20.25.", 10.5, 20.25, None),
        ("R.A. = 12:00:00.0, Decl. = -00:30:00.0", 180.0, -0.5, None),
        ("RA, Dec = 352.3, 22.9 with a statistical uncertainty of 2.1 degrees.", 352.3, 22.9, 7560.0),
        ("RA, Dec: 10 30 00.0, +20 00 00.0", 157.5, 20.0, None),
        ("located at RA=10.5, DEC=\u221220.25 (J2000, deg)", 10.5, -20.25, None),
    ],
)
def test_a_position_is_found_with_its_error(text, ra, dec, radius):
    (value,) = found(text, POSITION)
    assert (value["ra_deg"], value["dec_deg"]) == (pytest.approx(ra, abs=1e-6), pytest.approx(dec, abs=1e-6))
    assert value.get("radius_arcsec") == radius


@pytest.mark.parametrize(
    "text",
    [
        "RA = 25:00:00.0, Dec = -20:00:00.0",
        "RA = 12:61:00.0, Dec = -20:00:00.0",
        "RA = 400.1, Dec = 20.1",
        "RA = 40.1, Dec = 95.1",
        "we observed from 12:00:00.0 to 13:00:00.0",
        "a ratio of 10.5, 20.5",
        "the radius 3.5 and December 12.5",
        "RA = 12.5h, Dec = 20.5",
    ],
)
def test_what_is_no_position_is_not_taken_for_one(text):
    assert found(text, POSITION) == []


def test_the_error_of_the_next_position_or_paragraph_is_not_taken():
    near, far = "RA = 10.5, Dec = 20.5", "RA = 11.5, Dec = 21.5 (error radius 3 arcsec)"
    assert [one.get("radius_arcsec") for one in found(f"{near} and {far}", POSITION)] == [None, 3.0]
    assert [one.get("radius_arcsec") for one in found(f"{near}\n\nThe error radius is 3 arcsec", POSITION)] == [None]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The host is at redshift z = 0.0098.", {"z": 0.0098}),
        ("a redshift of 0.42.", {"z": 0.42}),
        ("absorption lines at z=1.23 +/- 0.01", {"z": 1.23, "error": 0.01}),
        ("We set a redshift limit z < 2.3", {"z": 2.3, "limit": "upper"}),
        ("from absorption we infer z >= 1.5", {"z": 1.5, "limit": "lower"}),
        ("a redshift z ~ 0.7", {"z": 0.7, "is_approximate": True}),
        ("a redshift of approximately 0.7", {"z": 0.7, "is_approximate": True}),
    ],
)
def test_a_redshift_is_found_and_a_limit_is_marked(text, value):
    assert found(text, REDSHIFT) == [value]


@pytest.mark.parametrize(
    "text",
    [
        "We measure g = 21.1, z = 20.3 +/- 0.1 mag; spectroscopy follows",
        "z = 12.1, r = 13.0, and a spectroscopic follow-up",
        "z = 0.5 without a word of spectra",
        "assuming a redshift of z = 0.5",
        "if at a redshift of 0.5",
        "spectroscopy at z = 55.5",
        "redshift 2.1 sigma",
    ],
)
def test_magnitudes_and_suppositions_are_no_redshifts(text):
    assert found(text, REDSHIFT) == []


def test_names_are_found_once_each():
    text = "AT2017gfo (also DLT17ck), AT 2017gfo, SN2021abc and ZTF19aarykkb; see wis-tns.org/object/AT2019aaa, SN1 or AT2019"
    assert [one["name"] for one in found(text, NAME)] == ["AT2017gfo", "DLT17ck", "SN2021abc", "ZTF19aarykkb"]


def test_the_rows_of_a_table_are_candidates():
    text = """We found two sources:

Name        RA            Dec          mag    filter
----------------------------------------------------
AT2019ebq   16:35:26.48   -22:22:36.4  20.40  g
AT 2019efr  12:00:01.1    +10:11:12.0  19.2   r

Further work is planned."""
    first, second = found(text, CANDIDATE)
    assert first["name"] == "AT2019ebq"
    assert (first["ra_deg"], first["dec_deg"]) == (pytest.approx(248.860333, abs=1e-6), pytest.approx(-22.376778, abs=1e-6))
    assert (first["mag"], first["filter"]) == (20.4, "g")
    assert (second["name"], second["mag"], second["filter"]) == ("AT2019efr", 19.2, "r")


def test_two_rows_under_each_other_need_no_header_but_one_does():
    row = "| PGIR19bn | 255.326361 | -12.485756 | 19 |\n"
    assert found(row, CANDIDATE) == []
    both = found(row + row.replace("bn", "bo"), CANDIDATE)
    assert [one["name"] for one in both] == ["PGIR19bn", "PGIR19bo"]
    assert "mag" not in both[0], "a bare number is no magnitude where no header says so"
    assert len(found("| name | RA | Dec | mag |\n" + row, CANDIDATE)) == 1


def test_lines_of_numbers_are_no_table():
    assert found("Mar 30.2   166 +/- 50\nApr  1.1   248 +/- 16\nfrom 10.25 20.25 to\nfrom 11.25 21.25 to\n", NAME) == []
    assert found("exposure 10.25 20.25\n", CANDIDATE) == []


def test_each_proposal_quotes_its_line_and_says_where_it_stands():
    text = "First line.\nThe host is at redshift z = 0.0098, they say.\nLast line."
    (one,) = propose(text)
    assert text[one.start : one.end] == "redshift z = 0.0098"
    assert one.quote == "The host is at redshift z = 0.0098, they say."


HOSTILE = {
    "blanks": "RA = " + " " * 1_000_000,
    "labels": "RA " * 333_333,
    "digits": "1" * 1_000_000,
    "errors": "RA=1.5 Dec=2.5 uncertainty " * 40_000,
    "redshifts": "z = 1.5 redshift " * 60_000,
    "rows": "AT2019ebq 16:35:26.48 -22:22:36.4 20.40 g\n" * 24_000,
    "dots": "a.b+" * 250_000,
    "sexagesimal": "RA = 1 1 1 " * 90_000,
    "headers": ("RA" + " " * 290 + "\n") * 3_400,
    "names": "AT2019abc " * 100_000,
    "sentences": "RA=1.5 Dec=2.5 redshift z = 0.5 is not. " * 25_000,
    "galaxies": "nearby a a galaxy redshift z = 0.5 " * 30_000,
    "different names": " ".join(f"AT2019{a}{b}{c}" for a in "abcdefghij" for b in "abcdefghijklm" for c in "abcdefghijklm") * 60,
    "one line": "x" * 500_000 + " RA = 1.5, Dec = 2.5 " + "y" * 500_000,
    "huge": "redshift z = 0.5 " * 1_000_000,
    "control": "\x1b[2J\x00\ud800" * 200_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_text_made_to_hurt_costs_seconds_and_not_hours(name):
    started = time.process_time()
    n_found = len(propose(HOSTILE[name]))
    assert n_found <= MAX_PROPOSALS
    assert time.process_time() - started < 60.0, "a pattern that backtracks would need hours"


@pytest.mark.parametrize(
    "text",
    [
        "The reported redshift of z = 0.151 (GCN 1234) is ruled out by our spectroscopy.",
        "We do not confirm the redshift z=4.8 proposed earlier. Spectroscopic lines are unclear.",
        "We exclude the redshift of z=6.1 at 5 sigma.",
        "The redshift is z = 1.1-1.3 by absorption.",
        "The redshift is z = 1.1 to 1.3 by absorption.",
        "The nearby galaxy NGC 4993 at z=0.009783 (spectroscopic redshift) lies within the error circle.",
    ],
)
def test_a_redshift_that_is_denied_or_vague_or_of_another_object_is_not_proposed(text):
    assert found(text, REDSHIFT) == []


def test_what_stands_beside_a_denied_redshift_is_proposed():
    text = "The redshift z = 0.151 is ruled out by our spectroscopy; the true value is z = 0.3285."
    assert found(text, REDSHIFT) == [{"z": 0.3285}]


@pytest.mark.parametrize(
    "text", ["a photometric redshift z = 0.7 for the host", "the host has a redshift of 0.7 (photo-z, SDSS)"]
)
def test_a_redshift_from_photometry_is_marked(text):
    assert found(text, REDSHIFT) == [{"z": 0.7, "is_photometric": True}]


@pytest.mark.parametrize(
    "text",
    [
        "The satellite pointing direction at that time was RA=120.3, Dec=+33.4.",
        "Sun position RA = 210.33, Dec = -12.11; Moon distance 43 deg.",
        "The burst is NOT at RA = 188.733, Dec = +12.33; that is a known variable star.",
        "The candidate at RA = 188.733, Dec = +12.33 is unrelated.",
    ],
)
def test_a_position_that_is_not_the_source_is_not_proposed(text):
    assert found(text, POSITION) == []


def test_the_error_behind_the_blank_line_of_swift_xrt_is_taken():
    text = """RA (J2000): 13h 09m 48.09s
Dec (J2000): -23d 22' 53.4"

with an uncertainty of 2.1 arcsec (radius, 90% confidence)."""
    (value,) = found(text, POSITION)
    assert value["radius_arcsec"] == 2.1
