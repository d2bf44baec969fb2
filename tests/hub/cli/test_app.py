"""The frame of the command line: what it loads, how it ends, what it says when something is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from hub.cli import app as app_module
from hub.cli.app import main
from hub.errors import NotFound, StorageError
from tests.conftest import REPOSITORY

HEAVY = (
    "numpy",
    "scipy",
    "astropy",
    "pydantic",
    "pydantic_settings",
    "sqlalchemy",
    "sqlmodel",
    "fastapi",
    "uvicorn",
    "lxml",
    "ligo",
)


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch):
    """Add a verb ``end`` that raises what it is given."""
    cause: list[BaseException] = []
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.callback()
    def _options(debug: bool = False) -> None: ...

    @app.command()
    def end() -> None:
        raise cause[0]

    monkeypatch.setattr(app_module, "app", app)

    def run(error: BaseException, *words: str) -> int:
        cause[:] = [error]
        return main([*words, "end"])

    return run


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from hub.cli.app import main; code = main(['--help']);"
        f"print([name for name in {HEAVY} if name in sys.modules], code, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, cwd=REPOSITORY, check=True)
    assert done.stderr.strip() == "[] 0"
    for verb in ("config", "decode", "inside", "init", "db"):
        assert verb in done.stdout


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("mmhub 0.")


@pytest.mark.parametrize("words", [["nonsense"], ["decode"], ["config", "nonsense"], ["--nonsense"], ["inside", "one"]])
def test_wrong_use_is_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_error_of_the_hub_is_one_line(ending, capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(StorageError("the database does not answer\x1b[2J")) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", "mmhub: the database does not answer\\x1b[2J\n")


def test_nothing_found_is_exit_code_3(ending, capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(NotFound("there is no event S1")) == 3
    assert capsys.readouterr().err == "mmhub: there is no event S1\n"


def test_unexpected_error_is_one_line_and_a_file(
    ending, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert ending(ZeroDivisionError("division by zero")) == 1
    err = capsys.readouterr().err
    assert err.startswith("mmhub: internal error (ZeroDivisionError), the traceback is in ")
    assert err.count("\n") == 1
    (report,) = tmp_path.glob("mmhub-error-*.txt")
    assert str(report) in err
    assert "division by zero" in report.read_text()


def test_debug_shows_the_traceback(ending, capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(ZeroDivisionError("division by zero"), "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_interruption_is_no_traceback(ending, capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(KeyboardInterrupt()) != 0
    assert "Traceback" not in capsys.readouterr().err


def test_reader_that_leaves_early_causes_no_noise(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "hub", "config", "show", "--json"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=240,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 1
