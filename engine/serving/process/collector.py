"""Python's garbage collector in the life of a process that serves, and nobody else's hand on it.

start ─pause→ imports ─resume→ … ─keep→ what was loaded stays ─let_go→ it is lost, load anew
"""

from __future__ import annotations

import gc


def pause() -> None:
    """Before imports: they make objects and no garbage, and looking for it is a tenth of their
    time."""
    gc.disable()


def resume() -> None:
    """After imports: what they made stays for good and need not be looked at again."""
    gc.freeze()
    gc.enable()


def keep(*, again: bool = False) -> None:
    """What has been loaded stays: 150,000 objects that the collector would look through again and
    again, for some 100 ms in which not even a probe is answered. `again`: it was loaded before, and
    what is left of that is in cycles and must not be kept, too."""
    if again:
        gc.collect()
    gc.freeze()


def let_go() -> None:
    """What was loaded is lost: whatever is kept may be garbage from now on."""
    gc.unfreeze()
