import pytest

from hub.science.event_names import gbm_triggers_in, keys_of, name_key, names_in


@pytest.mark.parametrize(
    ("spellings", "key"),
    [
        (("GRB 170817A", "GRB170817A", "grb_170817a", "GRB-170817A"), "grb170817a"),
        (("LIGO/Virgo/KAGRA S230518h", "LIGO/Virgo S230518h", "S230518h", "LVK S230518H"), "s230518h"),
        (("IceCube-170922A", "IceCube 170922A", "ICECUBE-170922A"), "icecube170922a"),
        (("Fermi-524666471", "Fermi 524666471"), "fermi524666471"),
        (("SGR 1935+2154",), "sgr1935+2154"),
    ],
)
def test_all_spellings_of_a_name_have_one_key(spellings, key):
    assert {name_key(spelling) for spelling in spellings} == {key}


def test_a_name_of_signs_alone_has_no_key():
    assert keys_of(["", " - ", "GRB 1", "GRB1"]) == ("grb1",)


@pytest.mark.parametrize(
    ("subject", "names"),
    [
        ("GRB 230410A: Fermi GBM Final Real-time Localization", ("GRB 230410A",)),
        ("GRB980329 VLA observations", ("GRB980329",)),
        ("LIGO/Virgo/KAGRA S230518h: Updated Sky localization", ("S230518h",)),
        ("LIGO/Virgo G298048: optical candidate AT2017gfo", ("G298048", "AT2017gfo")),
        ("IceCube-170922A - IceCube observation of a high-energy neutrino", ("IceCube-170922A",)),
        ("Swift Trigger 1093742: possible burst", ("Swift-1093742",)),
        ("Fermi GBM Trigger 694215970: not a GRB", ("Fermi-694215970",)),
        ("EP240315a: EP-WXT detection of a transient", ("EP240315a",)),
        ("Observations of the sky in 2017, 298048 frames", ()),
    ],
)
def test_the_names_in_a_subject_are_found(subject, names):
    assert names_in(subject) == names


def test_only_the_fixed_form_of_gbm_names_a_trigger():
    assert gbm_triggers_in("located GRB 230410A (trigger 702818765.135562 / 230410476).") == ("Fermi-702818765", "bn230410476")
    assert gbm_triggers_in("the trigger 702818765 of yesterday") == ()
