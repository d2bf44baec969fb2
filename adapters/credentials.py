"""Secrets of adapters: in the environment, else in a file that holds nothing else."""

from pathlib import Path

from pydantic import SecretStr

from hub.errors import ConfigError


def secret_of(secret: SecretStr, file: str, where: str, folder: Path) -> str:
    """Return a secret from the environment, else from its file, else an empty text.

    Parameters
    ----------
    secret, file
        Of the settings; a file's name is taken from the folder.
    where
        Key of the file in the settings.
    folder
        The data folder.

    Raises
    ------
    ConfigError
        The file cannot be read or is empty.
    """
    if secret.get_secret_value() or not file:
        return secret.get_secret_value()
    text = text_of(folder / file, where).strip()
    if not text:
        raise ConfigError(f"{where}: the file {file} is empty")
    return text


def token_of(token: SecretStr, file: str, where: str, folder: Path) -> str:
    """Return a token that may stand in a header; ``where`` is the table of the settings, the rest as in `secret_of`.

    Raises
    ------
    ConfigError
        There is none, or it cannot be one.
    """
    found = secret_of(token, file, f"{where}.token_file", folder)
    if not found.isascii() or not found.isprintable() or not found.strip() or " " in found:
        raise ConfigError(f"{where}: token (in the environment) or token_file is missing, or is no token")
    return found


def text_of(file: Path, where: str) -> str:
    """Return what a file of the settings holds.

    Raises
    ------
    ConfigError
        It cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: the file {file} cannot be read: {getattr(error, 'strerror', None) or error}") from error
