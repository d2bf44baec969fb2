"""Carries conf/ and schemas/ inside the package; everything else about the build stands in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED_FOLDERS = ("conf", "schemas")
"""The same as in hub/resources.py, which reads them; a test holds the two together."""


class BuildWithData(build_py):
    """Copies the shipped folders to hub/_data, where an installed hub finds them; an editable install reads them in the tree."""

    def run(self) -> None:
        """Copy the modules, then the shipped folders."""
        super().run()
        if not self.editable_mode:
            for source, target in self._shipped():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Name the copied files among what the build made."""
        shipped = [] if self.editable_mode else [str(target) for _, target in self._shipped()]
        return [*super().get_outputs(include_bytecode), *shipped]

    def _shipped(self) -> list[tuple[Path, Path]]:
        data = Path(self.build_lib) / "hub" / "_data"
        return [(path, data / path) for name in SHIPPED_FOLDERS for path in sorted(Path(name).rglob("*")) if path.is_file()]


setup(cmdclass={"build_py": BuildWithData})
