"""How the memory of a long-running process is kept from making it wait."""

import gc


def settle() -> None:
    """Take everything that is loaded now out of the garbage collector's sight; to be called once, before the loops start.

    Libraries leave a few hundred thousand objects that live as long as the process. A full collection looks at all of them, with
    every thread standing still for 50 to 200 ms: more than a notice takes on its whole way.
    """
    gc.collect()
    gc.freeze()
