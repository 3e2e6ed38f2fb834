"""Portable arithmetic is set whatever starts the code, and params.yaml can switch it off."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnist import portable
from tests.conftest import ROOT

STATE = "import torch; from mnist import portable; print(portable.is_in_effect())"
SET_UP = "from mnist.device import set_up; from mnist.params import load_params"
pytestmark = pytest.mark.skipif(not portable.is_supported(), reason="not an x86-64 CPU")


def run_python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh process without the variables, in a folder with a params.yaml."""
    environment = {k: v for k, v in os.environ.items() if k not in portable.SETTINGS}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return tmp_path


def switch_off(folder: Path) -> None:
    path = folder / "params.yaml"
    text = path.read_text()
    assert "portable: true" in text
    path.write_text(text.replace("portable: true", "portable: false"))


@pytest.mark.parametrize("first", ["stages", "mnist.models.vit"])
def test_every_package_sets_it_before_torch(folder: Path, first: str) -> None:
    result = run_python(f"import {first}; {STATE}", folder)
    assert result.stdout.strip() == "True", result.stderr
    assert not result.stderr


def test_numpy_has_no_kernels_beyond_avx2(folder: Path) -> None:
    code = """
import mnist
from numpy._core._multiarray_umath import __cpu_features__ as features
print([name for name in ("X86_V4", "AVX512_ICL", "AVX512_SPR") if features.get(name)])
"""
    result = run_python(code, folder)
    assert result.stdout.strip() == "[]", result.stderr


def test_params_can_switch_it_off(folder: Path) -> None:
    switch_off(folder)
    variables = "import os, mnist; print(sorted(set(os.environ) & set(mnist.portable.SETTINGS)))"
    assert run_python(variables, folder).stdout.strip() == "[]"
    result = run_python(f"{SET_UP}; set_up(load_params())", folder)
    assert result.returncode == 0, result.stderr


def test_a_notebook_that_imported_torch_first_is_warned(folder: Path) -> None:
    result = run_python("import torch; import mnist", folder)
    assert "import mnist first" in result.stderr
    assert result.returncode == 0


def test_a_stage_refuses_to_run_without_it(folder: Path) -> None:
    code = f"import torch; torch.ones(64, 64) @ torch.ones(64, 64); {SET_UP}; set_up(load_params())"
    result = run_python(code, folder)
    capability = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    if "AVX512" not in run_python(capability, folder).stdout:
        pytest.skip("this CPU has AVX2 only: both settings choose the same kernels")
    assert "portable arithmetic is not in effect" in result.stderr
    switch_off(folder)
    assert run_python(code, folder).returncode == 0
