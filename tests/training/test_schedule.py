"""The learning rate climbs in a line to its peak and falls in half a cosine."""

import pytest

from mnist.training.schedule import END, START, one_cycle


@pytest.mark.parametrize("steps", [1, 2, 5, 1000])
@pytest.mark.parametrize("warmup", [0.0, 0.2, 0.9])
def test_it_stays_between_its_ends_and_one(steps: int, warmup: float) -> None:
    shares = [one_cycle(step, steps, warmup) for step in range(steps + 1)]
    assert min(shares) >= END - 1e-12
    assert max(shares) <= 1 + 1e-12
    assert shares[-1] == pytest.approx(END)


def test_it_climbs_then_falls() -> None:
    shares = [one_cycle(step, 100, 0.2) for step in range(101)]
    assert shares[0] == pytest.approx(START)
    assert shares[10] == pytest.approx((START + 1) / 2)
    assert shares[20] == pytest.approx(1)
    assert shares[60] == pytest.approx((1 + END) / 2)
    assert shares[:21] == sorted(shares[:21])
    assert shares[20:] == sorted(shares[20:], reverse=True)
