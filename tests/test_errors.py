"""Whatever a user can cause ends in one line and a non-zero exit code, never in a traceback."""

import errno
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from mnist.errors import UserError, run


def fail_with(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError("x.idx is no IDX file."), 1, "x.idx is no IDX file."),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(errno.ENOSPC, "", "out.npz"), 1, "out.npz: No space left on device"),
        (OSError(errno.EDQUOT, ""), 1, "Disk quota exceeded"),
        (PermissionError(errno.EACCES, "", "data"), 1, "data: Permission denied"),
    ],
)
def test_one_line_and_an_exit_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, message: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        run(lambda: fail_with(error), "predict")
    assert stop.value.code == code
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(f"predict: {message}", line)


@pytest.mark.parametrize(
    "error", [ZeroDivisionError(), FileNotFoundError(errno.ENOENT, ""), OSError("no number")]
)
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        run(lambda: fail_with(error))


@pytest.mark.parametrize("output", ["print('x' * 100_000)", "print('x'); sys.exit(2)"])
def test_a_reader_that_has_enough_is_no_error(output: str) -> None:
    script = (
        f"import sys; from mnist.errors import run; sys.stdin.read(); run(lambda: exec({output!r}))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.close()
    _, stderr = child.communicate()
    assert (child.returncode, stderr) == (141, b"")


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_removes_the_half_written_file(tmp_path, sent: int, code: int) -> None:
    script = f"""
import time
from mnist.errors import run
from mnist.files import new_file
def main():
    with new_file({str(tmp_path / "out")!r}) as partial:
        partial.write_text("half")
        print("ready", flush=True)
        time.sleep(60)
run(main)
"""
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # where the tests run in the background, the shell has them ignore Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.1)
    os.kill(child.pid, sent)
    _, stderr = child.communicate(timeout=30)
    assert child.returncode == code
    assert "Traceback" not in stderr
    assert not list(tmp_path.iterdir())
