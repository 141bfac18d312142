"""Conventions of layers that strangers write: the right version passes, the wrong one does not."""

import pytest

from tests.gradcheck.strangers import books, courses, frameworks, habits, losses, returned, science

PLACES = (books, courses, frameworks, science, habits, losses, returned)
STRANGERS = [s for place in PLACES for s in place.STRANGERS]
RIGHT = "right"

VERSIONS = [
    pytest.param(stranger, version, id=f"{stranger.name} - {version}")
    for stranger in STRANGERS
    for version in (RIGHT, *stranger.wrong)
]


@pytest.mark.parametrize(("stranger", "version"), VERSIONS)
def test_the_right_version_passes_and_the_wrong_one_does_not(stranger, version):
    if version == RIGHT:
        report = stranger.check(stranger.right)
        assert report.passed, str(report)
    else:
        report = stranger.check(stranger.wrong[version])
        expected = ("fail", "inconclusive") if version in stranger.undecided else ("fail",)
        assert report.verdict in expected, str(report)


def test_the_table():
    names = [stranger.name for stranger in STRANGERS]
    assert len(set(names)) == len(names) >= 25
    assert all(stranger.wrong for stranger in STRANGERS)
