import sys
from pathlib import Path

import cv2
import pytest

from test_client.errors import MissingExtra, RecordingError
from test_client.load import LoadResult
from test_client.load_figures import UserRecord, load_figures
from test_client.load_picture import draw_load, require_matplotlib
from test_client.statistics import Distribution
from tests.test_client.test_load_figures import user


def result(*records: UserRecord) -> LoadResult:
    return LoadResult(load_figures(records, 0.0, 4.0, 0.1, Distribution(0)), list(records), 0.0, 4.0)


def test_a_picture_of_idle_and_speaking_users_is_drawn(tmp_path: Path) -> None:
    draw_load(result(user(), user(step_s=0.05), user(speaks=True)), tmp_path / "load.png")
    picture = cv2.imread(str(tmp_path / "load.png"))
    assert picture is not None
    assert picture.shape[0] > 300
    assert picture.std() > 5


def test_a_run_in_which_nobody_got_a_frame_is_drawn_too(tmp_path: Path) -> None:
    draw_load(result(user(frames=0)), tmp_path / "load.png")
    assert (tmp_path / "load.png").stat().st_size > 1000


def test_a_picture_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere" / "load.png", tmp_path / "load.unknown"):
        with pytest.raises(RecordingError, match="cannot be written"):
            draw_load(result(user()), path)


def test_without_matplotlib_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match="pip install"):
        require_matplotlib()
