"""What the installers say while they work. By any Python, as install.py is."""

import shutil
import sys
import time

# Where there is no terminal to write one line over and over.
EVERY_S = 5.0


class Line:
    """One line that is written over on a terminal; elsewhere a line now and then."""

    def __init__(self):
        self._over = sys.stderr.isatty()
        self._last = 0.0

    def write(self, text, now=False):
        if self._over:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r{:<{}}".format("  " + text, width)[: width + 1])
            sys.stderr.flush()
        elif now or time.monotonic() - self._last >= EVERY_S:
            self._last = time.monotonic()
            say("  " + text)

    def close(self):
        if self._over:
            sys.stderr.write("\n")


def say(text):
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
