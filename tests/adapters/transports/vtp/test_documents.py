"""The documents name every option, and their examples are settings."""

import re
import tomllib
from pathlib import Path

import pytest

from adapters import catalogue
from adapters.transports.vtp import broadcaster, filters, receiver, subscriber
from hub.config import DestinationSection, SourceSection

DOCS = Path(__file__).parents[4] / "docs"


@pytest.mark.parametrize("module", [subscriber, receiver, broadcaster], ids=lambda module: module.KIND)
def test_the_reference_names_every_option_with_its_default(module):
    text = (DOCS / "reference/vtp.md").read_text()
    section = re.split(r"^## ", text, flags=re.MULTILINE)
    [own] = [part for part in section if f"`{module.KIND}`" in part.splitlines()[0]]
    for key, field in module.Options.model_fields.items():
        assert f"`{key}`" in own, key
        is_repeated = key in ("local_ivo", "trust", "max_message_bytes") and module is not subscriber
        if isinstance(field.default, int | float) and not isinstance(field.default, bool) and not is_repeated:
            assert f"{field.default:g}" in own or str(field.default) in own, key


def test_the_examples_of_the_guide_are_settings():
    text = (DOCS / "how-to/vtp.md").read_text()
    examples = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)]
    assert len(examples) == 3
    for example in examples:
        for name, table in example.get("sources", {}).items():
            section = SourceSection.model_validate(table)
            catalogue.source_options(section.kind, name, section.options)
        for name, table in example.get("destinations", {}).items():
            section = DestinationSection.model_validate(table)
            catalogue.sink_options(section.kind, name, section.options)


def test_the_filters_of_the_documents_are_filters():
    text = (DOCS / "how-to/vtp.md").read_text() + (DOCS / "reference/vtp.md").read_text()
    found = re.findall(r'"((?:role|subject|stream|ivorn) [^"]+)"', text)
    assert len(found) >= 4
    for wanted in found:
        filters.parse(wanted)
