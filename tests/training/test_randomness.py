"""Seeds, processes, steps and purposes draw numbers of their own."""

from mnist.training.randomness import derive_seed, generator_for


def test_one_seed_is_not_another_some_steps_later() -> None:
    first, second = ([derive_seed(s, "step", step) for step in range(1000)] for s in (1, 2))
    assert not set(first) & set(second)


def test_seeds_are_the_same_everywhere() -> None:
    """In other processes too, where Python's own hash() differs."""
    assert derive_seed(1, "order", 0) == 1700675365
    assert generator_for(1, "order", 0).initial_seed() == derive_seed(1, "order", 0)
