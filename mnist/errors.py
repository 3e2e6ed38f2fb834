"""Errors for people: one clear line and a non-zero exit code instead of a traceback."""

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path


class UserError(Exception):
    """Something that the user can fix.

    The message is one line that says what is wrong, where, and how to fix it.
    """


class SourceError(Exception):
    """Why a source cannot provide the files that it was asked for."""


def run(main: Callable[[], None], name: str | None = None) -> None:
    """Call `main` and turn every failure that a user can cause into one line on stderr.

    Exits with 1 after a `UserError` or where the system refuses a file, with 130 after Ctrl-C and
    with 143 after SIGTERM. Any other exception is a bug of this project and keeps its traceback.

    Args:
        name: what the line starts with; by default the name of the script.
    """
    name = name or Path(sys.argv[0]).stem
    # SIGTERM unwinds the stack as Ctrl-C does, so that half-written files are removed.
    signal.signal(signal.SIGTERM, _exit_by_sigterm)
    try:
        main()
    except UserError as error:
        _stop(f"{name}: {error}", 1)
    except KeyboardInterrupt:
        _stop(
            f"{name}: interrupted; no half-written file is left. Run the same command again.", 130
        )
    except OSError as error:
        if error.errno not in _FIXES:
            raise
        file = f"{error.filename}: " if error.filename else ""
        _stop(
            f"{name}: {file}{os.strerror(error.errno)}; {_FIXES[error.errno]}, then run again.", 1
        )


# What the system refuses because of the user's disk or rights.
_FIXES = {
    errno.ENOSPC: "free some disk space",
    errno.EDQUOT: "free some disk space",
    errno.EFBIG: "the file is larger than this system allows: raise the limit",
    errno.EROFS: "make the disk writable",
    errno.EACCES: "change the permissions of the file or folder",
    errno.EPERM: "change the permissions of the file or folder",
}


def _stop(message: str, code: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)


def _exit_by_sigterm(_signal: int, _frame: object) -> None:
    sys.exit(143)
