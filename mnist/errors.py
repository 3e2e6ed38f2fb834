"""Errors for people: one clear line and a non-zero exit code instead of a traceback."""

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path


class UserError(Exception):
    """Something that the person at the keyboard can mend.

    The message says what is wrong, where, and how to mend it.
    """


def run(main: Callable[[], None]) -> None:
    """Run a stage's `main` and turn every failure a user can cause into one line on stderr.

    Exits with 1 after a `UserError` or a failing disk, with 130 after Ctrl-C and 143 after SIGTERM.
    Anything else is a defect of ours and keeps its traceback.
    """
    # Let SIGTERM unwind the stack as Ctrl-C does, so that half-written files are removed.
    signal.signal(signal.SIGTERM, _interrupt_by_sigterm)
    try:
        main()
    except UserError as error:
        _stop(str(error), 1)
    except KeyboardInterrupt:
        _stop("interrupted; nothing half-written is left. Run the same command again.", 130)
    except OSError as error:
        if error.errno is None:
            raise
        where = f"{error.filename}: " if error.filename else ""
        mend = _MENDS.get(error.errno, "see the file or folder named, then run again.")
        _stop(f"{where}{os.strerror(error.errno)}: {mend}", 1)


_MENDS = {
    errno.ENOSPC: "free some disk space, then run again.",
    errno.EDQUOT: "your disk quota is used up; free some space, then run again.",
    errno.EFBIG: "the file is larger than this system allows; raise the limit, then run again.",
    errno.EACCES: "give yourself the right to use it, then run again.",
    errno.EROFS: "make it writable, then run again.",
    errno.ENOENT: "run `dvc repro`, which makes what is missing.",
}


def _stop(message: str, code: int) -> None:
    print(f"{Path(sys.argv[0]).stem}: {message}", file=sys.stderr)
    sys.exit(code)


def _interrupt_by_sigterm(_signal: int, _frame: object) -> None:
    sys.exit(143)
