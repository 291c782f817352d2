"""What an author may say of a pool."""

from typing import Any

import pytest

import corps


@pytest.mark.parametrize(
    "given",
    [
        {"min": 0},
        {"min": True},
        {"min": 3, "max": 2},
        {"max": 2.0},
        {"target_queue": 0},
        {"target_queue": float("nan")},
        {"up_after": -1},
        {"down_after": "30"},
        {"cooldown": float("inf")},
        {"drain": None},
        {"needs": {"gpu": 1}},
        {"needs": {"cpu": -1}},
    ],
)
def test_a_value_that_cannot_be_is_named(given: dict[str, Any]) -> None:
    with pytest.raises(corps.ConfigError, match=list(given)[-1]):
        corps.Scale(**given)


def test_a_scale_is_no_option_of_one_worker() -> None:
    class Worker(corps.Conc):
        pass

    scale = corps.Scale()
    with corps.env():
        with pytest.raises(corps.ConfigError, match="create_scaled"):
            corps.options(scale=scale).create(Worker)
        with pytest.raises(corps.ConfigError, match="beside that"):
            corps.options().create_scaled(Worker)
        with pytest.raises(corps.ConfigError, match="label at most"):
            corps.options(scale=scale, env="here").create_scaled(Worker)
        with pytest.raises(corps.ConfigError, match="none of these has an argument"):
            corps.options(scale=corps.Scale(key="user")).create_scaled(Worker)
        with pytest.raises(corps.ContextError, match="no links to others"):
            corps.options(scale=scale).boot_scaled(corps.Corps)
        with pytest.raises(corps.ConfigError, match="pool_state"):
            corps.pool_state(corps.create(Worker))
