"""Good messages with something wrong in them: read, or refused in one sentence, never anything else.

`make test` tries a tenth of the mutations, `make fuzz` (MMHUB_TEST_FUZZ=full) all of them, in equal parts by format, region of the
message and kind of damage.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from adapters.codecs.decoder import WireDecoder
from hub.errors import DecodeError, SkymapRefused
from hub.model.envelope import Envelope
from hub.model.instant import Instant
from hub.ports import DecodedAlerts, DecodedNotice
from hub.resources import read_text
from hub.science.levels import summary
from hub.science.localization_table import load_localization_table
from hub.science.skymap_fits import SkymapWorker
from hub.science.skymap_rules import validate
from hub.science.skymap_worker import Refused, read_columns
from hub.services.intake import Intake, IntakeSettings
from hub.storage import envelopes
from hub.storage.engine import open_store, upgrade
from hub.storage.envelopes import MessageState, law_holds
from hub.text import printable
from tests.support.histories import history_of
from tests.support.mutations import KINDS, REGIONS, SEEDS, mutations, regions

N_FULL = 2000
"""Mutations of each format."""

N_INTAKE = 140
"""Of these, how many go through intake as well."""

IS_FULL = os.environ.get("MMHUB_TEST_FUZZ") == "full"
NOW = Instant(1_800_000_000_000_000)


def portion(whole: int) -> int:
    """Return how many of them each region gets."""
    return -(-(whole if IS_FULL else whole // 10) // len(REGIONS))


def envelope(payload: bytes) -> Envelope:
    return Envelope(payload=payload, source="fuzz", received_at=NOW)


def check_sentence(reason: str) -> None:
    assert 5 < len(reason) < 300, reason
    assert reason == printable(reason)
    assert "internal error" not in reason


def read_map(data: bytes) -> None:
    """Do what the child and then the hub do with a map; whatever the library raises in the child is a refusal there."""
    try:
        columns = read_columns(data)
    except Refused as refusal:
        check_sentence(str(refusal))
        return
    except Exception:  # noqa: BLE001 - as the child's loop does
        return
    try:
        skymap, _ = validate(columns)
    except SkymapRefused as refusal:
        check_sentence(str(refusal))
        return
    assert np.isfinite(summary(skymap).area90_deg2)


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.fuzz
def test_mutated_message_is_read_or_refused_in_one_sentence(seed: str, region: str) -> None:
    decoder = WireDecoder()
    for payload in mutations(seed, region, portion(N_FULL)):
        try:
            decoded = decoder.decode(envelope(payload))
            if isinstance(decoded, DecodedAlerts):
                decoder.decode_details(payload)
        except DecodeError as error:
            check_sentence(error.reason)
        else:
            if isinstance(decoded, DecodedNotice) and decoded.notice.skymap is not None:
                read_map(decoded.notice.skymap)
        if seed.startswith("fits"):
            read_map(payload)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.fuzz
def test_mutated_message_ends_in_the_books(seed: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/hub.db"
    upgrade(url)
    store = open_store(url)
    arriving = [envelope(payload) for region in REGIONS for payload in mutations(seed, region, portion(N_INTAKE))]
    with SkymapWorker() as skymaps:
        intake = Intake(
            store=store,
            decoder=WireDecoder(),
            skymaps=skymaps,
            localizations=load_localization_table(read_text("conf/localizations.toml")),
            history=history_of(store),
            clock=lambda: NOW,
            settings=IntakeSettings(authority="fuzz.example"),
        )
        report = intake.accept([envelope(SEEDS[seed]), *arriving])
    assert report.outcomes[0].state is MessageState.STORED
    for outcome in report.outcomes:
        assert outcome.state in (MessageState.STORED, MessageState.DUPLICATE, MessageState.DEAD)
        if outcome.state is MessageState.DEAD:
            check_sentence(outcome.reason)
    with store.reading() as session:
        books = envelopes.counts(session)
    store.close()
    assert law_holds(books)
    assert books[0].received >= len(report.outcomes)
    assert books[0].in_flight == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_seed_is_read_as_it_is_and_has_every_region(seed: str) -> None:
    WireDecoder().decode(envelope(SEEDS[seed]))
    if seed.startswith("fits"):
        validate(read_columns(SEEDS[seed]))
    found = regions(seed, SEEDS[seed])
    assert set(found) == set(REGIONS)
    assert all(found.values())
    damaged = {region: set(mutations(seed, region, 10 * len(KINDS))) - {SEEDS[seed]} for region in REGIONS}
    assert all(len(different) > 4 * len(KINDS) for different in damaged.values())
