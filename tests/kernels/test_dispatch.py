"""Which twin a call goes to."""

import subprocess
import sys

import numpy as np
import pytest

from npvae import kernels
from npvae.kernels import reference
from tests.kernels.cases import OPTIMIZERS, SIGNATURES, arguments, as_tuple, optimizer_arguments


def python(code, **environment):
    """Run code in a process of its own."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def used(monkeypatch):
    """Names of the kernels whose compiled twin was called."""
    names = []

    def spy(name):
        names.append(name)
        return getattr(reference, name)

    monkeypatch.setattr(kernels, "_compiled", spy)
    with kernels.using("compiled"):
        yield names


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [*SIGNATURES, *OPTIMIZERS])
def test_compiled_for_contiguous_floats(name, dtype, used, rng):
    draw = arguments if name in SIGNATURES else optimizer_arguments
    getattr(kernels, name)(*draw(name, rng, dtype=dtype))
    assert used == [name]


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128, np.longdouble, np.float16, ">f4", ">f8"])
@pytest.mark.parametrize("name", SIGNATURES)
def test_reference_for_other_types(name, dtype, used, rng):
    args = arguments(name, rng, dtype=dtype)
    results = as_tuple(getattr(kernels, name)(*args))
    assert used == []
    expected = as_tuple(getattr(reference, name)(*args))
    for result, right in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, right)
        if np.dtype(dtype).isnative:
            assert result.dtype == dtype


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize(
    "change",
    [np.asfortranarray, lambda a: np.repeat(a, 2, axis=-1)[..., ::2], np.float32],
    ids=["columns first", "every other entry", "float32"],
)
def test_reference_where_one_argument_does_not_fit(change, position, used, rng):
    for name in ("tanh_gradient", "bernoulli"):
        args = arguments(name, rng)
        args[position] = change(args[position])
        getattr(kernels, name)(*args)
    assert used == []


def test_reference_on_request(used, rng):
    args = arguments("sigmoid", rng)
    with kernels.using("reference"):
        assert kernels.choice() == "reference"
        kernels.sigmoid(*args)
        with kernels.using("compiled"):
            assert kernels.choice() == "compiled"
        assert kernels.choice() == "reference"
    assert used == []
    kernels.sigmoid(*args)
    assert used == ["sigmoid"]


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


@pytest.mark.parametrize("name", [*SIGNATURES, *OPTIMIZERS])
def test_a_kernel_keeps_its_name_and_documentation(name):
    assert getattr(kernels, name).__name__ == name
    assert getattr(kernels, name).__doc__ == getattr(reference, name).__doc__


def test_environment_chooses_the_reference():
    code = "import sys, numpy as np; from npvae import kernels; kernels.relu(np.ones((1, 1)), np.ones(1)); "
    code += "print(kernels.choice(), 'numba' in sys.modules)"
    assert python(code, NPVAE_KERNELS="reference").stdout.split() == ["reference", "False"]
    assert python(code, NPVAE_KERNELS="compiled").stdout.split() == ["compiled", "True"]


def test_bad_environment_is_an_import_error_that_names_the_choices():
    result = python("import npvae.kernels", NPVAE_KERNELS="numba")
    assert result.returncode == 1
    assert "ImportError: NPVAE_KERNELS is 'numba'; it can be one of compiled, reference" in result.stderr


def test_numba_is_imported_by_the_first_call_and_not_before():
    code = (
        "import sys, numpy as np; import npvae.kernels as k, npvae.core.vae, npvae.core.autoencoder; "
        "print('numba' in sys.modules); k.relu(np.ones((1, 1)), np.ones(1)); print('numba' in sys.modules)"
    )
    result = python(code)
    assert result.stdout.split() == ["False", "True"], result.stderr
