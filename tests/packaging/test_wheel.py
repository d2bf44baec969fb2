"""The wheel, by way of the sdist, carries everything and works where nothing of the source tree is in sight."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from hub.resources import SHIPPED_FOLDERS
from tests.conftest import REPOSITORY

TREE = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "CHANGELOG.md", "LICENSE", "hub", "adapters", *SHIPPED_FOLDERS)


def run(*command: object, cwd: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MMHUB_", "PYTHON"))}
    done = subprocess.run(  # noqa: PLW1510 - the assertion below says more
        [str(part) for part in command],
        cwd=cwd,
        env=clean,
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done


def build(kind: str, tree: Path, out: Path) -> Path:
    """Build an sdist or a wheel with the build backend of this environment: without a network."""
    code = f"import sys; from setuptools import build_meta; print(); print(build_meta.build_{kind}(sys.argv[1]))"
    done = run(sys.executable, "-c", code, out, cwd=tree)
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    tree = folder / "tree"
    tree.mkdir()
    for name in TREE:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__", "_data"))
        else:
            shutil.copy(source, tree / name)
    sdist = build("sdist", tree, folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return build("wheel", unpacked, folder)


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with the wheel in it; the dependencies are lent by the running one, the editable hub of which stays out."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=folder)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).stdout.strip())
    lent = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "zz-lent.pth").write_text("\n".join(sorted(lent)) + "\n")
    return folder


def test_wheel_holds_every_file_of_the_packages_and_the_shipped_folders(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    wanted = set()
    for top in ("hub", "adapters"):
        wanted |= {str(path.relative_to(REPOSITORY)) for path in files_below(REPOSITORY / top)}
    for top in SHIPPED_FOLDERS:
        wanted |= {f"hub/_data/{path.relative_to(REPOSITORY)}" for path in files_below(REPOSITORY / top)}
    assert "hub/_data/conf/default.toml" in wanted
    assert not wanted - held
    assert not {name for name in held if name.startswith("tests/")}


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not {"__pycache__", "_data"} & set(path.parts)]


def test_installed_hub_is_the_one_in_the_wheel(environment: Path, tmp_path: Path) -> None:
    code = "import hub, adapters; print(hub.__file__); print(adapters.__file__)"
    for line in run(environment / "bin" / "python", "-c", code, cwd=tmp_path).stdout.split():
        assert Path(line).is_relative_to(environment)


def test_installed_hub_reads_the_shipped_files(environment: Path, tmp_path: Path) -> None:
    code = "import hub.resources as r, json; print(json.dumps([r.listing('conf') + r.listing('schemas'), r.read_text('conf/default.toml')]))"
    listed, text = json.loads(run(environment / "bin" / "python", "-c", code, cwd=tmp_path).stdout)
    assert listed == [
        str(path.relative_to(REPOSITORY)) for top in SHIPPED_FOLDERS for path in sorted(files_below(REPOSITORY / top), key=str)
    ]
    assert text == (REPOSITORY / "conf" / "default.toml").read_text()


def test_installed_command_shows_help_and_settings(environment: Path, tmp_path: Path) -> None:
    assert "decode" in run(environment / "bin" / "mmhub", "--help", cwd=tmp_path).stdout
    assert "hub.authority" in run(environment / "bin" / "mmhub", "config", "show", cwd=tmp_path).stdout


def test_setup_and_the_reader_ship_the_same_folders() -> None:
    scope: dict[str, object] = {}
    (line,) = [text for text in (REPOSITORY / "setup.py").read_text().splitlines() if text.startswith("SHIPPED_FOLDERS")]
    exec(line, scope)
    assert scope["SHIPPED_FOLDERS"] == SHIPPED_FOLDERS


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(
    os.environ.get("MMHUB_TEST_REQUIRE") != "all", reason="installs every dependency anew: with MMHUB_TEST_REQUIRE=all"
)
def test_wheel_installs_with_all_its_dependencies_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True, symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, cwd=tmp_path, timeout=800)
    run(tmp_path / "env" / "bin" / "mmhub", "config", "check", cwd=tmp_path)
    run(python, "-m", "pip", "check", cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not (REPOSITORY / "hub" / "cli" / "demo.py").exists(), reason="there is no demo yet")
def test_installed_demo_runs_to_its_end(environment: Path, tmp_path: Path) -> None:
    run(environment / "bin" / "mmhub", "demo", "--alerts", "2000", "--report", "report.json", cwd=tmp_path, timeout=240)
    assert json.loads((tmp_path / "report.json").read_text())["n_notices"] > 0
