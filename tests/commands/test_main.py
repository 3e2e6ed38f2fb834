"""`python -m mnist` lists its commands, and imports what is heavy only to run one."""

import subprocess
import sys

from mnist.__main__ import COMMANDS

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
