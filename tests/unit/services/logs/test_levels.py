"""Claims about levels that are set while a process runs, and taken back."""

import logging
from collections.abc import Iterator

import pytest

import corps
from corps.services.logs.chosen import LevelRule
from corps.services.logs.levels import Levels

D, I, W, E = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR  # noqa: E741 - the initials of levels


class Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


class Worker(corps.Conc):
    def log(self) -> None:
        logging.getLogger("levels_test.part").debug("worker")


class Other(Worker):
    pass


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("levels_test")
    yield logger
    logger.setLevel(logging.NOTSET)
    logging.getLogger("levels_test.part").setLevel(logging.NOTSET)


@pytest.fixture
def heard(logger: logging.Logger) -> Iterator[Heard]:
    handler = Heard()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture
def levels() -> Iterator[Levels]:
    levels = Levels()
    yield levels
    levels.apply(())


def test_a_level_is_that_of_the_logger_and_is_taken_back(logger: logging.Logger, levels: Levels) -> None:
    logger.setLevel(E)
    levels.apply([LevelRule(D, "levels_test")])
    assert logger.level == D
    assert logging.getLogger("levels_test.part").isEnabledFor(D)
    levels.apply([LevelRule(I, "levels_test")])
    assert logger.level == I
    levels.apply([])
    assert logger.level == E


def test_of_two_rules_the_later_one_holds(logger: logging.Logger, levels: Levels) -> None:
    levels.apply([LevelRule(D, "levels_test"), LevelRule(E, "levels_test", env=2)])
    assert logger.level == E
    levels.apply([])
    assert logger.level == logging.NOTSET


def test_what_the_application_has_set_meanwhile_stays(logger: logging.Logger, levels: Levels) -> None:
    levels.apply([LevelRule(D, "levels_test")])
    logger.setLevel(W)
    levels.apply([])
    assert logger.level == W


def test_a_level_for_a_class_lets_its_workers_alone_say_more(
    heard: Heard, logger: logging.Logger, levels: Levels
) -> None:
    logger.setLevel(W)
    with corps.env() as env:
        worker, other = env.create(Worker), env.options(tag="t").create(Other)
        levels.apply([LevelRule(D, "", class_name=Worker._corps_interface.class_name)])
        worker.log().result()
        assert heard.texts == []  # the logger of the application has a level of its own
        levels.apply([LevelRule(D, "levels_test", class_name=Worker._corps_interface.class_name)])
        worker.log().result()
        other.log().result()
        logging.getLogger("levels_test.part").debug("no worker")
        logging.getLogger("levels_test.part").warning("warning")
        assert heard.texts == ["worker", "warning"]
        levels.apply([LevelRule(D, "levels_test", tag="t")])
        worker.log().result()
        other.log().result()
        assert heard.texts == ["worker", "warning", "worker"]
        levels.apply([])
        other.log().result()
        assert heard.texts == ["worker", "warning", "worker"]
        assert heard.filters == []


def test_a_level_for_a_tag_can_have_its_workers_say_less(
    heard: Heard, logger: logging.Logger, levels: Levels
) -> None:
    logger.setLevel(D)
    with corps.env() as env:
        worker, quiet = env.create(Worker), env.options(tag="quiet").create(Worker)
        levels.apply([LevelRule(E, "levels_test", tag="quiet")])
        worker.log().result()
        quiet.log().result()
        assert heard.texts == ["worker"]


def test_a_logger_below_with_a_level_of_its_own_keeps_it(
    heard: Heard, logger: logging.Logger, levels: Levels
) -> None:
    logger.setLevel(W)
    logging.getLogger("levels_test.part").setLevel(E)
    levels.apply([LevelRule(D, "levels_test", tag="t")])
    logging.getLogger("levels_test.part").warning("below")
    logging.getLogger("levels_test").warning("above")
    assert heard.texts == ["above"]
