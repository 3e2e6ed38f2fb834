"""The same seed, CPU and number of threads give the same bytes, wherever and however run."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

FINGERPRINTS = """
from tests.small_models import MODELS, fingerprint, train_small
for name in MODELS:
    print("fingerprint", name, fingerprint(train_small(name, epochs=0.5)))
"""


def fingerprints(where: Path, **environment: str) -> list[str]:
    """Train all five in a process of its own that starts in `where`."""
    result = subprocess.run(
        [sys.executable, "-c", FINGERPRINTS],
        cwd=where,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in result.stdout.splitlines() if line.startswith("fingerprint")]
    assert len(lines) == 5
    return lines


def test_all_five_give_the_same_bytes_in_another_environment(tmp_path: Path) -> None:
    elsewhere = tmp_path / "another place"
    elsewhere.mkdir()
    other = {"TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "4711"}
    here = fingerprints(ROOT, TZ="UTC", LC_ALL="C", PYTHONHASHSEED="0")
    assert here == fingerprints(elsewhere, **other, OMP_NUM_THREADS="7")
