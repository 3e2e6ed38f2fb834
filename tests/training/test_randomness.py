"""Seeds, processes, steps and purposes draw numbers of their own."""

from mnist.training.randomness import derive_seed, generator_for


def test_seeds_collide_as_rarely_as_random_numbers() -> None:
    seeds = [
        derive_seed(seed, rank, purpose, step)
        for seed in range(10)
        for rank in range(2)
        for purpose in ("step", "order")
        for step in range(2500)
    ]
    assert all(0 <= seed < 2**32 for seed in seeds)
    # 100,000 numbers of 32 bits: 1.2 collisions are expected, more than 10 never happen by chance
    assert len(seeds) - len(set(seeds)) <= 10
    assert abs(sum(seed < 2**31 for seed in seeds) / len(seeds) - 0.5) < 0.01


def test_one_seed_is_not_another_some_steps_later() -> None:
    first, second = ([derive_seed(s, "step", step) for step in range(1000)] for s in (1, 2))
    assert not set(first) & set(second)


def test_seeds_are_the_same_everywhere() -> None:
    """In other processes too, where Python's own hash() differs."""
    assert derive_seed(1, "order", 0) == 1700675365
    assert generator_for(1, "order", 0).initial_seed() == derive_seed(1, "order", 0)
