import pytest

from corps.errors import ConfigError, UnpackError, Untrusted
from corps.packing.codecs import CODEC_NAMES, CODEC_TAGS, DATA, DILL, PICKLE, check_may_read, tag_of


def test_the_tags_are_those_of_the_protocol() -> None:
    assert dict(CODEC_TAGS) == {"pickle": 1, "dill": 2, "data": 3}
    assert all(CODEC_NAMES[tag] == name for name, tag in CODEC_TAGS.items())
    assert tag_of("dill") == DILL


def test_an_unknown_codec_name_is_refused_and_the_known_ones_are_listed() -> None:
    with pytest.raises(ConfigError, match="'pickle', 'dill', 'data'"):
        tag_of("marshal")


@pytest.mark.parametrize("incoming", [PICKLE, DILL])
def test_a_reader_of_data_reads_nothing_else(incoming: int) -> None:
    with pytest.raises(Untrusted):
        check_may_read(DATA, incoming)


def test_readers_that_run_code_anyway_read_every_codec() -> None:
    for own in (PICKLE, DILL):
        for incoming in CODEC_NAMES:
            check_may_read(own, incoming)
    check_may_read(DATA, DATA)


def test_an_unknown_tag_is_no_codec_for_anybody() -> None:
    for own in CODEC_NAMES:
        with pytest.raises(UnpackError, match="unknown codec 77"):
            check_may_read(own, 77)
