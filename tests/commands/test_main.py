"""`python -m mnist` lists its commands, and imports what is heavy only to run one."""

import subprocess
import sys

import pytest

from mnist.__main__ import COMMANDS, main

HEAVY = ("torch", "numpy", "scipy", "matplotlib", "dvc", "PIL")


def test_every_command_has_a_help_that_imports_nothing_heavy() -> None:
    script = f"""
import sys
from mnist.__main__ import main
for command in ([], *([name] for name in {[*COMMANDS.keys() - {"bench", "export"}]})):
    try:
        main([*command, "--help"])
    except SystemExit as stop:
        print(stop.code, [name for name in {HEAVY} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stderr == ""
    assert result.stdout.splitlines().count("0 []") == len(COMMANDS) - 1
    for name, summary in COMMANDS.items():
        assert f"\n    {name} " in result.stdout
        assert summary in result.stdout


@pytest.mark.parametrize("arguments", [[], ["bogus"], ["--bogus"]])
def test_an_unknown_command_is_an_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "python -m mnist: error: " in capsys.readouterr().err
