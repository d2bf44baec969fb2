"""What can be said of the container files without a container engine."""

import re

import yaml

from hub.bootstrap import check_parts
from hub.config import Settings, load
from tests.conftest import REPOSITORY

SETTINGS = {f"MMHUB_{s}__{k}".upper() for s, table in Settings().model_dump().items() for k in table}


def test_container_files_name_only_settings_that_exist() -> None:
    for name in ("Dockerfile", "compose.yaml"):
        named = set(re.findall(r"MMHUB_\w+", (REPOSITORY / "docker" / name).read_text()))
        assert named
        assert {one for one in named if not one.startswith(("MMHUB_SOURCES__", "MMHUB_DESTINATIONS__"))} <= SETTINGS


def test_the_sources_of_the_services_make_sense(monkeypatch) -> None:
    environment = yaml.safe_load((REPOSITORY / "docker" / "compose.yaml").read_text())["x-hub"]["environment"]
    for name, value in environment.items():
        if name.startswith("MMHUB_SOURCES__"):
            monkeypatch.setenv(name, value)
    settings = load().settings
    assert settings.sources["inbox"].kind == "folder"
    check_parts(settings)


def test_services_run_without_privileges_and_wait_for_what_they_need() -> None:
    services = yaml.safe_load((REPOSITORY / "docker" / "compose.yaml").read_text())["services"]
    for name in ("upgrade", "hub"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
    assert set(services["hub"]["depends_on"]) <= set(services)
    assert all(port.startswith("127.0.0.1:") for port in services["hub"]["ports"])
    assert re.search(r"^USER mmhub$", (REPOSITORY / "docker" / "Dockerfile").read_text(), re.MULTILINE)


def test_no_password_stands_in_the_files() -> None:
    for name in ("Dockerfile", "compose.yaml"):
        for line in (REPOSITORY / "docker" / name).read_text().splitlines():
            if "PASSWORD" in line:
                assert "POSTGRES_PASSWORD=..." in line or "${POSTGRES_PASSWORD:?" in line
