"""Errors for people: one clear line and a non-zero exit code instead of a traceback."""

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

# What the system refuses because of the user's disk or rights.
REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}


class UserError(Exception):
    """What a user can fix; the message says in one line what is wrong, where, and how to fix it."""


class SourceError(Exception):
    """Why a source cannot provide the files that it was asked for."""


def run(main: Callable[[], None], name: str | None = None) -> None:
    """Call `main` and turn every failure that a user can cause into one line on stderr.

    Exits with 1 after a `UserError` or where the system refuses a file, with 130 after Ctrl-C and
    with 143 after SIGTERM; without a line, with 141 where the reader of its output, such as `head`,
    has ended. Any other exception is a bug of this project and keeps its traceback. The line
    starts with `name`, by default that of the script.
    """
    name = name or Path(sys.argv[0]).stem
    # SIGTERM unwinds the stack as Ctrl-C does, so that half-written files are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()  # here, since at exit a closed pipe is a traceback
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except UserError as error:
        message, code = str(error), 1
    except KeyboardInterrupt:
        message, code = "interrupted; no half-written file is left. Run the same again.", 130
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        file = f"{error.filename}: " if error.filename else ""
        message, code = f"{file}{os.strerror(error.errno)}; fix this and run again.", 1
    print(f"{name}: {message}", file=sys.stderr)
    sys.exit(code)
