"""Two seconds of `benchmarks/fuzz_files.py`: damaged files are read or cleanly refused."""

import runpy
import warnings
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "fuzz_files.py"


def test_damaged_files_are_refused_cleanly():
    with warnings.catch_warnings():
        counts, faults = runpy.run_path(str(SCRIPT))["fuzz"](seconds=2, seed=1)
    assert faults == []
    kinds = {kind for kind, _ in counts}
    assert len(kinds) == 8
    for kind in kinds:
        assert counts[kind, "refused"] > counts[kind, "read"], kind
