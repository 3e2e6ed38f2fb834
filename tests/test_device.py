"""The machine is used as the section `runtime` of params.yaml wants."""

import platform
import resource
from typing import Any

import pytest
import torch

from mnist.device import set_up
from mnist.errors import UserError
from mnist.params import Params


def test_a_device_that_is_not_there_is_refused(committed: dict[str, Any]) -> None:
    committed["runtime"]["device"] = "cuda:99"
    with pytest.raises(UserError, match=r"runtime.device = 'cuda:99'.*allowed here: auto, .*cpu"):
        set_up(Params.model_validate(committed))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries differ")
def test_freed_memory_is_kept_for_the_next_step(committed: dict[str, Any]) -> None:
    set_up(Params.model_validate(committed))
    for _ in range(20):  # until a gap is large enough
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(10_000_000)  # 9,766 pages of 4 KiB
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert faults < 1000
