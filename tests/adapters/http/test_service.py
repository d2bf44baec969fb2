import pytest
from pydantic import ValidationError

from adapters.http import ServiceOptions, open_client
from hub.errors import ConfigError

URL = "https://portal.example.org/api/"


def options(**changes) -> ServiceOptions:
    return ServiceOptions.model_validate({"hosts": ["portal.example.org"], **changes})


def test_a_service_whose_host_is_not_among_those_that_may_be_asked_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"^networks\.x\.url: .*other\.example\.org"):
        open_client(options(), "https://other.example.org/", "networks.x", tmp_path, max_bytes=100)


def test_no_host_at_all_is_refused() -> None:
    with pytest.raises(ValidationError, match="hosts"):
        options(hosts=[])


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_are_looked_for_in_the_data_folder(tmp_path, content) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(ConfigError, match=f"{tmp_path}/ca.pem"):
        open_client(options(ca_file="ca.pem"), URL, "networks.x", tmp_path, max_bytes=100)
