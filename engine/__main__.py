"""`python -m engine`, and the command `shazam-visual` of the installed package.

Any Python may be asked to run this; what it lacks is told in one line.
"""

import sys


def run() -> int:
    """The command line; returns the exit status."""
    if sys.version_info < (3, 11):  # noqa: UP036 (any Python may come)
        sys.exit("Python 3.11 or newer is needed, and this is " + sys.version.split()[0])
    from engine.base.needs import remedy

    try:
        from engine.cli.main import main

        return main()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "engine":
            raise
        print(f"{sys.executable} has no {error.name}. {remedy()}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(run())
