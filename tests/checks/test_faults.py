"""Every planted fault is caught, and every correct function beside one passes."""

from dataclasses import replace

import numpy as np
import pytest

from npvae.checks.faults import FAULTS, Pair, pair_of
from npvae.checks.faults.fault import fault as plant
from npvae.checks.planted import caught, check, cleared, run_planted_faults
from npvae.view.tables.gradcheck import planted_table

every_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
TWINS = {(fault.correct, fault.make_args): fault for fault in FAULTS.values()}
every_twin = pytest.mark.parametrize(
    "fault", TWINS.values(), ids=lambda fault: pair_of(fault.correct).forward.__qualname__
)
POINTS = [(2, 0), (3, 1), (7, 2)]  # sizes and seeds
WIDE = [  # the name of a fault that is easily diluted, and a size
    ("dense_one_entry_off", 100),
    ("dense_one_entry_zero", 100),
    ("loss_twice_in_single_precision", 300),
    ("strides_ignored", 400),
]


def test_the_catalogue():
    assert len(FAULTS) >= 80
    stories = [fault.story for fault in FAULTS.values()]
    assert len(set(stories)) == len(stories)
    assert all(story.endswith(".") and "\n" not in story for story in stories)
    assert all(fault.name == name for name, fault in FAULTS.items())
    assert len({fault.group for fault in FAULTS.values()}) == 10


@every_fault
def test_caught(fault):
    assert [point for point in POINTS if not caught(fault, *point)] == []


@every_twin
def test_the_correct_function_is_cleared(fault):
    assert [point for point in POINTS if not cleared(fault, *point)] == []


@pytest.mark.parametrize(("name", "size"), WIDE)
def test_wide_functions(name, size):
    fault = FAULTS[name]
    assert caught(fault, size, 0)
    assert check(fault.correct, fault, size, 0).passed


@every_fault
def test_a_fault_is_its_backward(fault):
    """The results of the two forwards are the same: what is wrong is the gradient alone."""
    results = []
    for implementation in (fault.correct, fault.wrong):
        forward, _ = pair_of(implementation)
        results.append(forward(*fault.make_args(np.random.default_rng(0), 5))[0])
    np.testing.assert_array_equal(*results)


@every_fault
def test_arguments_have_the_size_asked_for(fault):
    for n in (2, 9):
        assert n in np.shape(fault.make_args(np.random.default_rng(0), n)[0]) or fault.group == "composition"


def test_where_nothing_can_be_decided():
    noisy = FAULTS["counted_noise_unscaled"]
    assert check(noisy.correct, noisy, 4, 0).verdict == "inconclusive"
    assert cleared(noisy, 4, 0)
    assert not cleared(replace(noisy, decidable=True), 4, 0)


def test_counting():
    (results,) = [list(results) for results in run_planted_faults([4], [2, 6], ["kl_mu_sign", "stale_cache"])]
    assert [row.fault.name for row in results] == ["kl_mu_sign", "stale_cache"]
    assert [(row.runs, row.missed, row.alarms) for row in results] == [(2, [], [])] * 2
    assert all(row.as_expected for row in results)


def test_a_fault_that_is_none_is_missed_and_a_twin_that_is_wrong_is_an_alarm(monkeypatch):
    good = FAULTS["kl_mu_sign"]
    harmless = plant("KL", good.correct, good.make_args)(good.correct.backward)
    unfit = plant("KL", good.wrong, good.make_args)(good.wrong.backward)
    monkeypatch.setitem(FAULTS, "harmless", harmless)
    monkeypatch.setitem(FAULTS, "unfit", unfit)
    (rows,) = run_planted_faults([3], [4], ["harmless", "unfit"])
    assert (rows[0].missed, rows[0].alarms) == ([(4, 3)], [])
    assert (rows[1].missed, rows[1].alarms) == ([], [(4, 3)])
    table = planted_table(rows)
    assert ["all", "2", "2", "1", "1"] in [line.split() for line in table.splitlines()]
    assert "first at size 4 with seed 3" in table


def test_a_class_is_made_anew_for_each_check():
    stale = FAULTS["stale_cache"]
    first, second = (pair_of(stale.wrong) for _ in range(2))
    assert isinstance(first, Pair)
    assert first.forward.__self__ is not second.forward.__self__
