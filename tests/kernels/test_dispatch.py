"""When a twin takes its formula's place."""

import subprocess
import sys

import numpy as np
import pytest

from npvae import kernels
from npvae.kernels import FORMULAS, tiles
from tests.kernels.cases import ELEMENTWISE, LAYERS, NAMES, NUMPY, OPTIMIZERS, arguments, arrays, mapped


def python(code, **environment):
    """Run code in a process of its own."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def used(monkeypatch):
    """Names of the formulas whose place was taken."""
    names, twin_of = [], kernels._twin

    def spy(name):
        def twin(*args):
            result = twin_of(name)(*args)
            if result is not NotImplemented:
                names.append(name)
            return result

        return twin

    monkeypatch.setattr(kernels, "_twin", spy)
    with kernels.using("compiled"):
        yield names


def has_twin(name):
    return name not in LAYERS or tiles.VECTOR_BYTES


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_the_twin_for_contiguous_floats(name, dtype, used, rng):
    FORMULAS[name](*arguments(name, rng, dtype=dtype))
    assert used == ([name] if has_twin(name) else [])


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128, np.longdouble, np.float16, ">f4", ">f8"])
@pytest.mark.parametrize("name", [*ELEMENTWISE, *LAYERS])
def test_the_formula_for_other_types(name, dtype, used, rng):
    args = arguments(name, rng, dtype=dtype)
    results, expected = arrays(FORMULAS[name](*args)), arrays(getattr(NUMPY, name)(*args))
    assert used == []
    for result, right in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, right)
        if np.dtype(dtype).isnative:
            assert result.dtype == dtype


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize(
    "change", [lambda a: np.repeat(a, 2, axis=-1)[..., ::2], np.float32], ids=["every other entry", "float32"]
)
@pytest.mark.parametrize("name", ["bernoulli_forward", "dense_forward", "dense_backward", "sgd"])
def test_the_formula_where_one_argument_does_not_fit(change, position, name, used, rng):
    args = arguments(name, rng)
    args[position] = mapped(change, [args[position]])[0]
    FORMULAS[name](*args)
    assert used == []


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_vectors_of_other_lengths_are_refused(name, used, rng):
    args = arguments(name, rng)
    args[1] = args[1][:-1]
    with pytest.raises(ValueError, match="broadcast"):
        FORMULAS[name](*args)
    assert used == []


def test_the_formula_on_request(used, rng):
    args, sigmoid = arguments("sigmoid_forward", rng), FORMULAS["sigmoid_forward"]
    with kernels.using("reference"):
        assert kernels.choice() == "reference"
        sigmoid(*args)
        with kernels.using("compiled"):
            assert kernels.choice() == "compiled"
        assert kernels.choice() == "reference"
    assert used == []
    sigmoid(*args)
    assert used == ["sigmoid_forward"]


def test_choice_is_restored_after_an_error():
    before = kernels.choice()
    with pytest.raises(ZeroDivisionError), kernels.using("reference"):
        raise ZeroDivisionError
    assert kernels.choice() == before


def test_unknown_choice_is_refused():
    before = kernels.choice()
    with pytest.raises(ValueError, match="one of compiled, reference, got 'fast'"), kernels.using("fast"):
        pass
    assert kernels.choice() == before


@pytest.mark.parametrize("name", NAMES)
def test_a_formula_keeps_its_name_and_documentation(name):
    assert FORMULAS[name].__name__ == name
    assert FORMULAS[name].__doc__ == getattr(NUMPY, name).__doc__


def test_environment_chooses_the_reference():
    code = "import sys, numpy as np; from npvae import kernels; "
    code += "from npvae.core.activations import sigmoid_forward; sigmoid_forward(np.ones(1)); "
    code += "print(kernels.choice(), 'numba' in sys.modules)"
    assert python(code, NPVAE_KERNELS="reference").stdout.split() == ["reference", "False"]
    assert python(code, NPVAE_KERNELS="compiled").stdout.split() == ["compiled", "True"]


def test_bad_environment_is_an_import_error_that_names_the_choices():
    result = python("import npvae.kernels", NPVAE_KERNELS="numba")
    assert result.returncode == 1
    assert "ImportError: NPVAE_KERNELS is 'numba'; it can be one of compiled, reference" in result.stderr


def test_numba_is_imported_by_the_first_call_and_not_before():
    code = (
        "import sys, numpy as np; import npvae.core.vae; from npvae.core.activations import sigmoid_forward; "
        "print('numba' in sys.modules); sigmoid_forward(np.ones(1)); print('numba' in sys.modules)"
    )
    result = python(code)
    assert result.stdout.split() == ["False", "True"], result.stderr
