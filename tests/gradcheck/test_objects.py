"""Copies of a layer that are restored and reused, and random generators that are reset."""

import collections
import random
import threading
import types

import numpy as np
import pytest

from npvae.gradcheck.objects import Copies, Noise, Place, held_in, shapes_in
from tests.gradcheck.functions import draw

HELD = draw(7)
RNG = np.random.default_rng(0)


class Slots:
    __slots__ = ("_Slots__own", "__weakref__", "kept")

    def __init__(self):
        self.kept, self.__own = draw(2), 1


class Layer:
    def __init__(self):
        self.W = draw(3, 2)
        self.alias = [self.W]
        self.by_name = {"b": draw(2), "more": collections.OrderedDict(a=1)}
        self.seen, self.queue = {1}, collections.deque([1, 2], maxlen=2)
        self.inner = types.SimpleNamespace(slots=Slots(), rng=np.random.default_rng(0), parent=self)
        self.random = random.Random(0)


def spoil(layer):
    layer.W += 1
    layer.new = 1
    layer.alias.append(2)
    layer.by_name["more"]["b"] = 2
    del layer.by_name["b"]
    layer.seen.add(2)
    layer.queue.append(3)
    layer.inner.slots.kept[...] = 0
    layer.inner.slots = None
    layer.inner.rng.random()
    layer.random.random()


def show(layer):
    return repr(
        (
            {k: v for k, v in vars(layer).items() if k not in ("inner", "random")},
            layer.inner.slots.kept,
            layer.inner.rng.bit_generator.state,
            layer.inner.parent is layer,
            layer.random.getstate(),
            layer.alias[0] is layer.W,
        )
    )


def test_a_copy_comes_back_as_it_was_at_first():
    layer = Layer()
    expected = show(layer)
    copies = Copies(layer)
    first = copies.take()
    used = first.layer
    assert show(used) == expected
    spoil(used)
    del first
    again = copies.take()
    assert again.layer is used
    assert show(used) == expected
    assert show(layer) == expected


def test_a_copy_that_is_held_is_not_handed_out():
    copies = Copies(Layer())
    first, second = copies.take(), copies.take()
    assert first.layer is not second.layer


@pytest.mark.parametrize("thing", [np.ma.zeros(3), np.array([None]), bytearray(b"x")])
def test_what_cannot_be_set_back_is_copied_anew(thing):
    copies = Copies(types.SimpleNamespace(thing=thing))
    used = copies.take().layer
    assert copies.take().layer is not used


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_values_are_written_for_all_who_hold_an_array(dtype):
    copies = Copies(Layer(), [Place((("attribute", "W"),))])
    for value in (1, 2):
        working = copies.take([np.full((3, 2), value, dtype)])
        assert working.layer.alias[0] is working.layer.W
        assert working.layer.W.dtype == dtype
        assert np.all(value == working.layer.W)
        del working
    assert copies.take().layer.W.dtype == np.float64


def test_what_functions_refer_to_is_found():
    enclosed = draw(6)

    def function(x, default=draw(5)):  # noqa: B008
        return [x + v for v in (enclosed, HELD)]

    assert set(shapes_in(function).values()) == {(5,), (6,), (7,)}
    assert set(shapes_in(types.SimpleNamespace(f=function, labels=[1, 2, 3])).values()) >= {(3,), (6,)}
    assert list(held_in(function, np.ndarray)) == [".enclosed", ".default 0", ".HELD"]


def test_attributes_that_raise_are_left_out():
    class Lazy:
        __slots__ = ("late",)

        def __getattr__(self, name):
            raise RuntimeError(name)

    assert held_in(Lazy(), np.ndarray) == {}
    assert held_in(threading.Lock(), np.ndarray) == {}


def test_generators_that_were_drawn_from_are_reset():
    def function():
        return RNG.random() + random.random() + np.random.random()  # noqa: NPY002

    noise = Noise(function=function)
    with noise.kept():
        values = set()
        for _ in range(5):
            noise.reset()
            values.add(function())
            noise.look()
        assert len(values) == 1
    assert set(noise.drawn) == {"function.RNG", "NumPy's global generator", "Python's global generator"}
