import pytest
from pydantic import SecretStr

from adapters.credentials import secret_of, token_of
from hub.errors import ConfigError


def test_a_secret_of_the_environment_goes_before_its_file(tmp_path) -> None:
    (tmp_path / "token").write_text("of the file\n")
    assert secret_of(SecretStr("of the environment"), "token", "x.token_file", tmp_path) == "of the environment"
    assert secret_of(SecretStr(""), "token", "x.token_file", tmp_path) == "of the file"
    assert secret_of(SecretStr(""), "", "x.token_file", tmp_path) == ""


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"])
def test_a_file_without_a_secret_is_named(tmp_path, content) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigError, match=r"^x\.token_file: the file .*token (is empty|cannot be read)"):
        secret_of(SecretStr(""), "token", "x.token_file", tmp_path)


@pytest.mark.parametrize("wrong", ["", "two words", "a\nb", "gehe\N{LATIN SMALL LETTER I WITH DIAERESIS}m"])
def test_what_cannot_stand_in_a_header_is_no_token_and_is_not_told(tmp_path, wrong) -> None:
    with pytest.raises(ConfigError, match=r"^networks\.x: token .* is missing, or is no token$"):
        token_of(SecretStr(wrong), "", "networks.x", tmp_path)
