"""A process that loses who started it, or its terminal → it ends, and its port is free.

Who is killed tells nobody. A worker whose launcher is gone would answer on, looked after by
nobody, and the next start would find the port taken.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time

LOOKS_EVERY_S = 1.0
# A worker that was told to end answers what it has begun; so long, since nobody else will kill it.
ENDS_WITHIN_S = 60.0
_watching = False


def end_with(launcher: int) -> None:
    """From now on this process ends, as at SIGTERM, once `launcher` is not its parent any more.

    What a closed terminal says to all of its processes is the launcher's to pass on.
    """
    global _watching
    if _watching:
        return
    _watching = True
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(launcher,), name="launcher", daemon=True).start()


def _watch(launcher: int) -> None:
    # Asked, since only Linux tells a child that its parent has died; for a worker that looks after
    # its connections ten times a second it is little.
    while os.getppid() == launcher:
        time.sleep(LOOKS_EVERY_S)
    logging.getLogger("shazam").warning("who started this worker has died; it ends, too")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ENDS_WITHIN_S)
    os._exit(1)


def hangup_matters() -> bool:
    """Whether a closed terminal shall end this process: `nohup` has it ignored."""
    return signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN


def end_at_hangup() -> None:
    """In BentoML's launcher: at SIGHUP circus starts every worker anew and lives on."""
    from circus.sighandler import SysHandler

    if hangup_matters():
        SysHandler.handle_hup = SysHandler.handle_term
