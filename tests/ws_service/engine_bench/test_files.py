import json

import pytest

from tests.ws_service.engine_bench.results import result
from ws_service.engine_bench.files import BenchFiles
from ws_service.errors import StartError


def test_figures_are_saved_as_json_with_what_follows_from_them_and_as_markdown(tmp_path) -> None:
    folder = tmp_path / "new" / "folder"
    BenchFiles(folder).save(result())
    saved = json.loads((folder / "engine.json").read_text())
    assert saved["buckets"][0]["ratio"] == 5.5
    assert saved["services"][1]["strict_speakers"] == 40
    assert saved["card"]["driver"] == "570.1"
    assert (folder / "engine.md").read_text().startswith("## A Card")


def test_plots_are_drawn_for_what_was_measured(tmp_path) -> None:
    pytest.importorskip("matplotlib")
    files = BenchFiles(tmp_path)
    assert files.draw(result()) == "Plots: speed.png, stages.png."
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in ("speed.png", "stages.png"))
    nothing = result()
    nothing.buckets = []
    assert files.draw(nothing) == "No plots: nothing to draw."


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"file/folder .--output. cannot be made: Not a directory"):
        BenchFiles(tmp_path / "file" / "folder")
