"""What all commands have in common."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import npvae
from npvae.cli import COMMANDS
from tests.cli.tools import assert_refused, invoke


def run_process(*argv, **options):
    return subprocess.run([sys.executable, "-m", "npvae", *map(str, argv)], timeout=60, **options)


def test_the_commands():
    assert set(COMMANDS) == {
        "compare", "train", "encode", "score", "sample", "reconstruct", "evaluate", "interpolate", "traverse",
        "plane", "nearest", "trace", "explore", "animate", "lab", "derive", "gradcheck", "exercise", "quiz",
        "info",
    }  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        npvae.cli.main([command, "--help"])
    out = capsys.readouterr().out
    assert f"npvae {command} " in out.split("examples:")[1]
    assert max(map(len, out.splitlines())) <= 110


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_are_commands_that_can_be_given(command, capsys, monkeypatch):
    """Each of them parses; none is run."""
    module = sys.modules[f"npvae.cli.{command}"]
    given = []
    monkeypatch.setattr(module, "run", lambda args: given.append(args) or 0)
    lines = [
        line.split("#")[0].split() for line in module.EXAMPLES.splitlines() if line.startswith("  npvae")
    ]
    for words in lines:
        assert npvae.cli.main(words[1:]) == 0
    assert len(given) == len(lines) > 0


def test_help_lists_every_command_and_where_to_start(capsys):
    with pytest.raises(SystemExit, match="0"):
        npvae.cli.main(["--help"])
    out = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n    {command}" in out
    assert "Start with: npvae compare" in out


@pytest.mark.parametrize(
    "argv", [(), ("draw",), ("compare", "--no-such-option"), ("train", "gan"), ("info",)]
)
def test_usage_errors(argv):
    assert_refused(invoke(*argv), "error")


def test_python_m_npvae():
    result = run_process("--version", capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, f"npvae {version('npvae')}\n", "")


def test_exit_code_of_the_process(tmp_path):
    result = run_process("info", tmp_path / "missing", capture_output=True, text=True)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "missing" in result.stderr


def test_a_reader_that_has_seen_enough_is_no_error(models):
    """As in ``npvae info MODEL --json | head -c 1``."""
    command = [sys.executable, "-m", "npvae", "info", models / "vae.safetensors", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()  # before anything can have been written
        assert process.stderr.read() == b""
