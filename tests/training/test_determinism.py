"""The same seed, machine and number of threads give the same bytes, wherever and however run."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

FINGERPRINTS = """
import sys
from pathlib import Path
from tests.small_models import MODELS, fingerprint, run_tiny
seed, scratch = int(sys.argv[1]), Path(sys.argv[2])
for name in MODELS:
    print("fingerprint", name, fingerprint(run_tiny(name, seed=seed), scratch))
"""


def fingerprints(seed: int, scratch: Path, where: Path, **environment: str) -> list[str]:
    """Train all five in a process of its own that starts in `where`."""
    result = subprocess.run(
        [sys.executable, "-c", FINGERPRINTS, str(seed), str(scratch)],
        cwd=where,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in result.stdout.splitlines() if line.startswith("fingerprint")]
    assert len(lines) == 5
    return lines


def test_all_five_give_the_same_bytes_in_other_surroundings(tmp_path: Path) -> None:
    elsewhere = tmp_path / "an other place"
    elsewhere.mkdir()
    other = {"TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "4711"}
    here = fingerprints(3, tmp_path, ROOT, TZ="UTC", LC_ALL="C", PYTHONHASHSEED="0")
    assert here == fingerprints(3, tmp_path, elsewhere, **other, OMP_NUM_THREADS="7")
    assert not set(here) & set(fingerprints(4, tmp_path, elsewhere, **other))
