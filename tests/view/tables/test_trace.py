"""The table of a trace whose numbers are made up here."""

from dataclasses import replace

import pytest

from npvae.study.trace import FORMULAS, Node, Trace
from npvae.view.tables.trace import trace_table

WIDE = {"x": 784, "hidden": 400, "output": 784}


def made_trace(**changes):
    nodes = []
    for k, name in enumerate(FORMULAS):
        indices = [None] if name in ("reconstruction", "kl") else [3] if name in WIDE else [0, 1]
        for i in indices:
            value = k + 0.5 + (i or 0) / 100
            width = 1 if i is None else WIDE.get(name, 2)
            nodes.append(Node(name, i, width, value, 0.75, 0.5, 0.25, 0.75, 1e-9))
    return replace(Trace(tuple(nodes), 123.4567891, 0.5, "bernoulli"), **changes)


def rows(text):
    """From a node's label to its five numbers and its description."""
    lines = [
        line.split(maxsplit=6)
        for line in text.splitlines()
        if line.split("[")[0].split(" ")[0] in (*FORMULAS, "logits", "mean", "loss")
    ]
    return {words[0]: words[1:] for words in lines}


@pytest.fixture
def one():
    return made_trace()


def with_node(trace, name, **changes):
    nodes = tuple(replace(n, **changes) if (n.name, n.index or 0) == (name, 0) else n for n in trace.nodes)
    return replace(trace, nodes=nodes)


def test_one_line_for_each_node_in_forward_order(one):
    labels = [n.name if n.index is None else f"{n.name}[{n.index}]" for n in one.nodes]
    assert list(rows(trace_table(one))) == [
        *(label.replace("output", "logits") for label in labels),
        "loss",
    ]
    assert labels[:3] == ["x[3]", "hidden[3]", "mu[0]"]
    assert labels[-2:] == ["reconstruction", "kl"]


def test_numbers_and_descriptions(one):
    table = rows(trace_table(one))
    assert table["log_var[1]"] == ["3.510000", "0.750000", "0.500000", "0.250000", "0.750000",
                                   FORMULAS["log_var"]]  # fmt: skip
    assert table["z[0]"][-1] == "mu + std * eps"
    assert table["std[0]"][-1] == "exp(log_var / 2)"


def test_columns_stand_below_their_heads(one):
    lines = trace_table(one).splitlines()
    (head,) = [line for line in lines if line.startswith("node")]
    (mu,) = [line for line in lines if line.startswith("mu[0]")]
    for name, number in [("value", "2.500000"), ("dL/d(node)", " 0.750000"), ("from recon.", "0.500000"),
                         ("from KL", "0.250000")]:  # fmt: skip
        assert head.index(name) + len(name) == mu.index(number) + len(number)
    assert head.index("what it is") == mu.index(FORMULAS["mu"])


def test_head_and_width(one):
    text = trace_table(one)
    assert "loss = reconstruction + 0.5 * KL = 123.456789 nats" in text.splitlines()[0]
    assert max(map(len, text.splitlines())) <= 118
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize(("likelihood", "name"), [("bernoulli", "logits"), ("gaussian", "mean")])
def test_what_the_output_is(one, likelihood, name):
    assert f"{name}[3]" in rows(trace_table(replace(one, likelihood=likelihood)))


def test_the_loss_is_the_last_number(one):
    assert rows(trace_table(one))["loss"] == [
        "123.456789", "1.000000", "-", "-", "1.000000", "reconstruction + 0.5 * kl",
    ]  # fmt: skip


def test_the_largest_distance_is_found(one):
    assert trace_table(one).endswith(": 0.0e+00")
    wrong = with_node(one, "log_var", numeric=0.5)
    assert trace_table(wrong).splitlines()[-1].endswith("2.5e-01")


def test_no_minus_before_a_zero(one):
    text = trace_table(with_node(one, "std", from_kl=-0.0, gradient=-0.0, numeric=-0.0))
    assert "-0.000000" not in text


def test_large_numbers_do_not_run_together(one):
    text = trace_table(with_node(one, "std", value=123456.75, gradient=-7654321.5, numeric=-7654321.5))
    shown = [float(number) for number in rows(text)["std[0]"][:5]]
    assert shown == pytest.approx([123456.75, -7654321.5, 0.5, 0.25, -7654321.5], rel=1e-4)
