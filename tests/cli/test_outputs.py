"""Where results are written is checked before the work."""

import os

import pytest

from npvae.cli import main
from npvae.view.report.pictures import picture_names
from npvae.writing import check_folder, check_writable

COMMANDS = {
    "animate": ("animate --out {}", ".gif"),
    "derive": ("derive --html {}", ".html"),
    "encode": ("encode missing --out {}", ".npy"),
    "explore": ("explore missing missing --out {}", ".html"),
    "grade": ("exercise grade missing --csv {}", ".csv"),
    "interpolate": ("interpolate missing --from 0 --to 1 --out {}", ".png"),
    "lab": ("lab pull --out {}", ".png"),
    "nearest": ("nearest missing --out {}", ".png"),
    "plane": ("plane missing --out {}", ".png"),
    "reconstruct": ("reconstruct missing --out {}", ".png"),
    "sample": ("sample missing --out {}", ".png"),
    "score": ("score missing --out {}", ".npy"),
    "trace": ("trace --out {}", ".png"),
    "train": ("train vae --out {}", ".safetensors"),
    "traverse": ("traverse missing --out {}", ".png"),
}
FOLDERS = {"compare": "compare --epochs 1 --out {}", "quiz": "quiz --all --out {}"}


@pytest.fixture
def loop(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    return tmp_path / "a"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_is_a_link_to_itself(command, tmp_path, capsys):
    argv, ending = COMMANDS[command]
    out = tmp_path / f"out{ending}"
    out.symlink_to(out)
    assert main(argv.format(out).split()) == 2
    assert f"symbolic links: '{out}'" in capsys.readouterr().err


@pytest.mark.parametrize("command", FOLDERS)
def test_a_folder_that_is_a_link_to_itself(command, loop, capsys):
    assert main(FOLDERS[command].format(loop).split()) == 2
    message = capsys.readouterr().err
    assert "is a link, not a folder" in message or "symbolic links" in message
    assert "training" not in message


@pytest.mark.parametrize("name", ["results.csv", "report.html", "loss.png", "models", "measured"])
def test_what_stands_in_the_way_in_a_folder_is_found_before_training(name, tmp_path, capsys):
    blocking = tmp_path / name
    blocking.mkdir() if "." in name else blocking.touch()
    assert main(f"compare --latent-dim 2 --epochs 1 --out {tmp_path}".split()) == 2
    assert str(blocking) in capsys.readouterr().err


def test_the_checkpoint_of_a_training(tmp_path, capsys):
    checkpoint = tmp_path / "model.checkpoint"
    checkpoint.symlink_to(checkpoint)
    argv = f"train vae --hidden --epochs 1 --checkpoint-every 1 --out {tmp_path}/model.safetensors"
    assert main(argv.split()) == 2
    assert f"symbolic links: '{checkpoint}'" in capsys.readouterr().err


def test_dangling_links_are_judged_by_where_they_lead(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "good").symlink_to(tmp_path / "new" / "out.npy")
    (tmp_path / "bad").symlink_to(tmp_path / "file" / "out.npy")
    check_writable(tmp_path / "good")
    check_folder(tmp_path / "good")
    for check in (check_writable, check_folder):
        with pytest.raises(NotADirectoryError, match="file is a file, not a folder"):
            check(tmp_path / "bad")


def test_a_name_that_leaves_no_room_for_the_temporary_files(tmp_path):
    path = tmp_path / ("n" * (os.pathconf(tmp_path, "PC_NAME_MAX") - 3))
    with pytest.raises(OSError, match="too long") as caught:
        check_writable(path)
    assert caught.value.filename == str(path)
    assert os.listdir(tmp_path) == []


def test_pictures_have_names_before_they_are_drawn():
    assert "plane-ae.png" in picture_names([2])
    assert {"metrics.png", "loss-d2.png", "loss-d10.png"} < set(picture_names([2, 10]))
