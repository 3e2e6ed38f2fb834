"""The machine is used as the section `runtime` of params.yaml wants."""

from typing import Any

import pytest
import torch

from mnist.device import set_up
from mnist.errors import UserError
from mnist.params import Params


def test_a_stage_uses_the_threads_and_the_device_of_params(committed: dict[str, Any]) -> None:
    committed["runtime"] |= {"threads": 2, "device": "cpu"}
    assert set_up(Params.model_validate(committed)) == torch.device("cpu")
    assert torch.get_num_threads() == 2


def test_a_device_that_is_not_there_is_refused(committed: dict[str, Any]) -> None:
    committed["runtime"]["device"] = "cuda:99"
    with pytest.raises(UserError, match=r"runtime.device = 'cuda:99'.*allowed here: auto, .*cpu"):
        set_up(Params.model_validate(committed))
