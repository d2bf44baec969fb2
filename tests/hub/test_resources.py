import pytest

from hub import resources
from tests.conftest import REPOSITORY


def test_shipped_file_reads_as_it_lies_in_the_tree() -> None:
    assert resources.read_bytes("conf/default.toml") == (REPOSITORY / "conf" / "default.toml").read_bytes()
    assert resources.read_text("conf/default.toml").startswith("# Every setting")


def test_listing_names_files_as_reading_takes_them() -> None:
    names = resources.listing("conf")
    assert "conf/default.toml" in names
    assert names == sorted(names)
    for name in names:
        assert resources.read_bytes(name)


def test_listing_of_a_folder_that_is_not_there_is_empty() -> None:
    assert resources.listing("schemas/no-such-thing") == []


@pytest.mark.parametrize(
    "name", ["", "conf", "conf/none.toml", "conf/../pyproject.toml", "/etc/passwd", "hub/errors.py", "../conf/x"]
)
def test_anything_but_a_shipped_file_is_not_found(name: str) -> None:
    with pytest.raises(FileNotFoundError, match="ships no file"):
        resources.read_bytes(name)
