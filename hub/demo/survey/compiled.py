"""numba's compiler with types: kernels keep the signature that they are written with."""

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Return the function as machine code, compiled at its first call and kept on disk for the next process."""
    return cast("F", njit(cache=True, nogil=True)(function))
