"""Whole files whose description or tensors are wrong are refused, and the error says what is wrong."""

import json
import re
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import save_file

from npvae.persistence import ModelFileError, load_model
from tests.model_files import METADATA, assert_refused, content, rewrite


@pytest.mark.parametrize(
    "header", ["", "{", "[]", "3", '"text"', "{}", "null", "[" * 100_000], ids=lambda h: h[:4]
)
def test_a_description_that_says_nothing_is_refused(path, header):
    _, tensors = content(path)
    save_file(tensors, path, metadata={"npvae": header})
    assert_refused(path, "its description cannot be read")


@pytest.mark.parametrize("version", [0, 3, 99, "1", None])
def test_another_version_is_refused(path, version):
    description, tensors = content(path)
    rewrite(path, {**description, "format_version": version}, tensors)
    assert_refused(path, f"format version {version}, this npvae reads versions 1 to 2")


@pytest.mark.parametrize("metadata", [None, [], "text"])
def test_metadata_that_are_none_are_refused(path, metadata):
    description, tensors = content(path)
    rewrite(path, {**description, "metadata": metadata}, tensors)
    assert_refused(path, "no metadata")


IMPOSSIBLE = {
    "latent_dim": [0, "2"],
    "n_features": [-4, None],
    "hidden": [[0], 3, None, ["3"], [[3]]],
    "activation": ["eval", ["relu"], None],
    "negative_slope": ["steep", None],
    "likelihood": ["poisson", {}],
    "noise_variance": [-1.0, [1.0]],
    "beta": [-1.0, "1"],
    "depth": [3],
}


@pytest.mark.parametrize(
    "change", [{name: value} for name, values in IMPOSSIBLE.items() for value in values], ids=str
)
def test_a_network_that_cannot_be_is_refused(path, change):
    description, tensors = content(path)
    rewrite(path, {**description, "network": {**description["network"], **change}}, tensors)
    assert_refused(path, "its network description is not valid")


@pytest.mark.parametrize(
    "change",
    [{"network": value} for value in (None, [], "vae", {}, 3)]
    + [{"kind": value} for value in ("gan", None, ["vae"])],
    ids=str,
)
def test_a_description_without_a_network_is_refused(path, change):
    description, tensors = content(path)
    rewrite(path, {**description, **change}, tensors)
    assert_refused(path, "its network description is not valid")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": [3, 3]}, r"missing: decoder\.1\.W, decoder\.1\.b, encoder\.1\.W, encoder\.1\.b"),
        ({"hidden": [10**9]}, "must have shape"),
        ({"n_features": 10**12}, "must have shape"),
        ({"latent_dim": 3}, "must have shape"),
        ({"noise_variance": 1.0}, r"unknown: output\.log_noise_var"),
    ],
    ids=str,
)
def test_the_network_of_other_tensors_is_refused(path, change, message):
    """Without taking the memory that it asks for."""
    description, tensors = content(path)
    rewrite(path, {**description, "network": {**description["network"], **change}}, tensors)
    assert_refused(path, message)


def test_an_autoencoders_name_on_a_vae_is_refused(path):
    description, tensors = content(path)
    del description["network"]["beta"]
    rewrite(path, {**description, "kind": "autoencoder"}, tensors)
    assert_refused(path, r"missing: code\.W, code\.b; unknown: log_var\.W, log_var\.b, mu\.W, mu\.b")


def test_a_missing_tensor_is_named(path):
    description, tensors = content(path)
    del tensors["mu.b"]
    rewrite(path, description, tensors)
    assert_refused(path, r"missing: mu\.b; unknown: none")


def test_no_tensors_at_all(path):
    description, _ = content(path)
    rewrite(path, description, {})
    assert_refused(path)


def test_an_extra_tensor_is_named(path):
    description, tensors = content(path)
    rewrite(path, description, {**tensors, "secret": np.zeros(1, np.float32)})
    assert_refused(path, "missing: none; unknown: secret")


@pytest.mark.parametrize("shape", [(3, 4), (12,), (4, 3, 1), (4, 2), (0,), ()])
def test_a_tensor_of_another_shape_is_named(path, shape):
    description, tensors = content(path)
    tensors["encoder.0.W"] = np.zeros(shape, np.float32)
    rewrite(path, description, tensors)
    assert_refused(path, re.escape(f"encoder.0.W must have shape (4, 3), but has {shape}"))


@pytest.mark.parametrize("dtype", [np.float16, np.int32, np.bool_])
@pytest.mark.parametrize("which", ["all", "one"])
def test_tensors_of_other_types_are_refused(path, dtype, which):
    description, tensors = content(path)
    changed = tensors if which == "all" else ["mu.W"]
    rewrite(path, description, {**tensors, **{name: tensors[name].astype(dtype) for name in changed}})
    assert_refused(path, "must all be float32 or all be float64")


def test_tensors_of_two_types_are_refused(path):
    description, tensors = content(path)
    rewrite(path, description, {**tensors, "mu.W": tensors["mu.W"].astype(np.float64)})
    assert_refused(path, "must all be float32 or all be float64")


def test_files_of_version_1_are_read(path):
    description, tensors = content(path)
    rewrite(path, {**description, "format_version": 1}, tensors)
    assert load_model(path).metadata == METADATA


def test_more_layers_than_tensors_are_refused_before_any_work(path):
    description, tensors = content(path)
    rewrite(path, {**description, "network": {**description["network"], "hidden": [1] * 10**6}}, tensors)
    tracemalloc.start()
    try:
        assert_refused(path, "1000000 hidden layers, but the file has 11 tensors")
        assert tracemalloc.get_traced_memory()[1] < 40 * 2**20  # reading the list takes 25
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("depth", [40, 900, 985])
def test_deep_nesting_is_refused(path, depth):
    description, tensors = content(path)
    text = json.dumps(description).replace('"nothing": null', '"nothing": ' + "[" * depth + "]" * depth)
    save_file(tensors, path, metadata={"npvae": text})
    assert_refused(path, "(nested more than 32 levels|cannot be read)")


ESCAPE = "\x1b]0;PWNED\x07\x1b[2J\nforged line: all is well"


@pytest.mark.parametrize("where", ["tensor", "version", "activation"])
def test_messages_neither_forge_lines_nor_reach_a_terminal(path, where):
    """And they are short, however much of the file they quote."""
    text = ESCAPE + 5000 * "x"
    description, tensors = content(path)
    if where == "tensor":
        tensors[text] = tensors.pop("mu.b")
    elif where == "version":
        description["format_version"] = text
    else:
        description["network"]["activation"] = text
    rewrite(path, description, tensors)
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1100
    assert r"\x1b]0;PWNED" in str(caught.value) or r"\\x1b]0;PWNED" in str(caught.value)
