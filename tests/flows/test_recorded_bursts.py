"""Recorded notices of several missions about one burst become one source."""

from pathlib import Path

import pytest

from hub.bootstrap import create_database, now, open_hub
from hub.config import load
from hub.model.envelope import Envelope, Trust
from hub.model.source import LinkKind
from hub.storage import sources

pytestmark = pytest.mark.recorded

FILES = (
    "voevent/groups/group_01_01_Fermi.xml",
    "voevent/groups/group_01_03_SWIFT.xml",
    "voevent/groups/group_02_SWIFT_01_BAT_GRB_Pos.xml",
    "voevent/groups/group_02_SWIFT_02_XRT_Pos.xml",
    "voevent/fermi/GRB170817A_GBM_GND_POS.xml",
    "gcn/unified/notices/chime/frb.update.example.json",
    "gcn/unified/notices/dsa110/frb.detection.example.json",
)


@pytest.mark.parametrize("is_reversed", [False, True], ids=["as they came", "backwards"])
def test_fermi_and_swift_saw_one_burst_and_two_radio_telescopes_another(
    recorded: Path, tmp_path: Path, is_reversed: bool
) -> None:
    settings = load((), {"hub.data_dir": str(tmp_path)}).settings
    files = [recorded / name for name in (reversed(FILES) if is_reversed else FILES)]
    with create_database(settings) as store, open_hub(settings, store) as hub:
        for file in files:
            envelope = Envelope(payload=file.read_bytes(), source="file", received_at=now(), trust=Trust.TRUSTED)
            hub.flow.take([envelope])
        with store.reading() as session:
            found = {one.event_ids: one for one in sources.search(session, limit=None)}
    gamma = found.pop(("Fermi-533367528", "Swift-1093742"))
    assert [one.kind for one in gamma.links] == [LinkKind.TIME_AND_PLACE]
    assert gamma.links[0].reason.startswith("Swift-1093742 came +12.000 s after Fermi-533367528")
    assert [sorted({name.partition("-")[0] for name in names}) for names in found] == [["CHIME", "DSA"]]
