"""The machine is used as the section `runtime` of params.yaml wants."""

from typing import Any

import pytest

from mnist.device import set_up
from mnist.errors import UserError
from mnist.params import Params


def test_a_device_that_is_not_there_is_refused(committed: dict[str, Any]) -> None:
    committed["runtime"]["device"] = "cuda:99"
    with pytest.raises(UserError, match=r"runtime.device = 'cuda:99'.*allowed here: auto, .*cpu"):
        set_up(Params.model_validate(committed))
