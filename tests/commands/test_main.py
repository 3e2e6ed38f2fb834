"""`python -m mnist` lists its commands, and imports what is heavy only to run one."""

import subprocess
import sys

import pytest

from mnist.__main__ import COMMANDS, main

HEAVY = ("torch", "numpy", "scipy", "matplotlib", "dvc", "PIL")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_imports_nothing_heavy(command: str) -> None:
    script = f"""
import sys
from mnist.__main__ import main
try:
    main({[*command.split(), "--help"]})
except SystemExit as stop:
    print(stop.code, [name for name in {HEAVY} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stderr == ""
    assert result.stdout.startswith(f"usage: python -m mnist {command}".rstrip())
    assert result.stdout.splitlines()[-1] == "0 []"


def test_the_list_has_one_line_per_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    for name, summary in COMMANDS.items():
        assert [line.split(maxsplit=1)[1] for line in lines if line.split()[:1] == [name]] == [
            summary
        ]


@pytest.mark.parametrize("arguments", [[], ["bogus"], ["--bogus"]])
def test_an_unknown_command_is_an_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "python -m mnist: error: " in capsys.readouterr().err


def test_an_error_names_the_command(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["verify"])
    assert stop.value.code == 1
    assert capsys.readouterr().err.startswith("verify: dvc.lock is missing")
