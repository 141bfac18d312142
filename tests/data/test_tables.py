import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npvae.data import load_dataset, load_samples, read_csv


@pytest.fixture
def table(tmp_path):
    """Write text or bytes to a file; return its path."""

    def table(content, name="flowers.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return table


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("csv") / "scratch.csv"


FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(
    X=hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=FINITE),
    header=st.booleans(),
    delimiter=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
def test_what_pandas_writes_is_read_to_the_last_bit(scratch, X, header, delimiter, end, bom, quoting):
    names = [f"length, {j} cm" for j in range(X.shape[1])] if X.shape[1] > 1 else ["length"]
    frame = pd.DataFrame(X.astype(np.float64), columns=names)
    text = frame.to_csv(index=False, header=header, sep=delimiter, lineterminator=end, quoting=quoting)
    scratch.write_bytes(text.encode("utf-8-sig" if bom else "utf-8"))
    if not header and X.shape[1] > 2 and X[0].tolist() == list(range(X.shape[1])):
        return  # refused: see below
    samples = read_csv(scratch)
    assert samples.X.dtype == np.float32
    np.testing.assert_array_equal(samples.X, X)
    assert (samples.name, samples.y, samples.image_shape) == ("scratch", None, None)


@given(X=hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 4)), elements=FINITE))
def test_what_numpy_writes_is_read_to_the_last_bit(scratch, X):
    text = io.StringIO()
    np.savetxt(text, X, delimiter=",", fmt="%.9g")
    scratch.write_text(text.getvalue())
    if X.shape[1] > 2 and X[0].tolist() == list(range(X.shape[1])):
        return
    np.testing.assert_array_equal(read_csv(scratch).X, X)


def test_it_is_split_as_an_array_is(table, tmp_path):
    X = np.random.default_rng(0).random((20, 3), dtype=np.float32)
    path = table("a,b,c\n" + "\n".join(",".join(map(str, row)) for row in X.tolist()), "x.csv")
    np.save(tmp_path / "x.npy", X)
    for seed in (0, 1):
        table_, array = load_dataset(path, seed=seed), load_dataset(tmp_path / "x.npy", seed=seed)
        assert table_.sha256 == array.sha256
        assert table_.name == "x"


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("1,2\n3,4", [[1, 2], [3, 4]]),
        ("\n1,2\n\n3,4\n\n\n", [[1, 2], [3, 4]]),
        (" 1 , 2 \n 3, 4", [[1, 2], [3, 4]]),
        ("a\n5\n", [[5]]),
        ("a,2\n3,4\n", [[3, 4]]),
        ("1_0,1_1\n3,4\n", [[3, 4]]),
        ("a;b\n1;2\n", [[1, 2]]),
        ('"a;b",c\n1,2\n', [[1, 2]]),
        ('"a\nb",c\n"1","2"\n', [[1, 2]]),
        ("0,1\n3,4\n", [[0, 1], [3, 4]]),
        ("a,b,c\n0,1,2\n", [[0, 1, 2]]),
        ("1e-3,-2.5E+2\n", [[0.001, -250]]),
    ],
)
def test_lines(table, content, rows):
    np.testing.assert_array_equal(read_csv(table(content)).X, np.array(rows, np.float32))


@pytest.mark.parametrize("name", ["flowers.CSV", "flowers.csv"])
def test_one_row_is_enough_where_nothing_is_split(table, name):
    path = table("1.5,2\n", name)
    np.testing.assert_array_equal(load_samples(path).X, [[1.5, 2]])
    with pytest.raises(ValueError, match=r"flowers: .*1 samples leaves 1 for training and 0 for testing"):
        load_dataset(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n3,setosa\n", r"line 3, column 2 \(b\): 'setosa' is not a finite number; .*remove"),
        ("1,2\n3,setosa\n", "line 2, column 2: 'setosa' is not a finite number"),
        ("a,b\n1,2\n\n3,\n", r"line 4, column 2 \(b\): the cell is empty"),
        ("1,,2\n3,4,5\n", "line 1, column 2: the cell is empty"),
        ("1,nan\n", "line 1, column 2: 'nan' is not a finite number"),
        ("a,b\nNA,1\n", r"line 2, column 1 \(a\): 'NA' is not a finite number"),
        ("1,-inf\n", "line 1, column 2: '-inf' is not a finite number"),
        ("1,1e39\n", "line 1, column 2: '1e39' is not a finite number"),
        ("1,2\n3,1_000\n", "line 2, column 2: '1_000' is not a finite number"),
        ("a;b\n1,5;2\n", r"line 2, column 1 \(a\): '1,5' is not a finite number"),
        ('a,b\n"1\n",2\n"x\n",3\n', r"line 5, column 1 \(a\): 'x' is not"),
        ("1,2\n" + "9" * 100_000 + "x,2", f"line 2, column 1: '{'9' * 40}' is not"),
        ("1,2,3\n4,5\n", "line 2 has 2 fields, but the first line has 3"),
        ("a,b\n1,2,3\n", "line 2 has 3 fields, but the first line has 2"),
        ("", "no lines of numbers"),
        ("\n\n", "no lines of numbers"),
        ("a,b\n", "one sample per line"),
        (",a,b\n0,5,6\n", "line 1: column 1 has no name, .*with index=False, or name the column"),
        ("a,b,\n0,5,\n", "line 1: column 3 has no name"),
        ("0,1,2\n5,6,7\n", "line 1 is 0, 1, 2, .*with header=False, or add a line of column names"),
        ('1,2\n"3,4\n', r"not CSV text in UTF-8 \(unexpected end of data\)"),
        ('1,"2"x\n', "not CSV text in UTF-8"),
        ("grün,1\n2,3\n".encode("latin-1"), "not CSV text in UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "not CSV text in UTF-8"),
    ],
)
def test_wrong_files_get_one_line(table, content, message):
    path = table(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_dataset(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_pandas_row_numbers_and_numbered_columns_are_refused(table):
    """What a frame without names becomes if nobody thinks of index and header."""
    frame = pd.DataFrame(np.random.default_rng(0).random((5, 4)))
    for options, message in [({"index": False}, "header=False"), ({"header": list("abcd")}, "index=False")]:
        with pytest.raises(ValueError, match=message):
            read_csv(table(frame.to_csv(**options)))
    np.testing.assert_array_equal(
        read_csv(table(frame.to_csv(index=False, header=False))).X, frame.to_numpy(np.float32)
    )
