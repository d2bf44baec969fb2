"""numba's compiler with types: kernels keep the signature that they are written with.

Imported by modules of kernels, and those where they are called and not before: numba takes half a second to import.
"""

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])
"""A function that numba can compile; the compiled one has its signature."""


def compiled(function: F) -> F:
    """Return the function as machine code, compiled at its first call and kept on disk for the next process.

    Constants of other modules are compiled into it, and what is on disk does not notice when they change: those that may be
    changed one day are arguments.
    """
    try:
        return cast("F", njit(cache=True, nogil=True)(function))
    except RuntimeError:  # numba found no folder that it may write to: each process compiles for itself
        return cast("F", njit(nogil=True)(function))
