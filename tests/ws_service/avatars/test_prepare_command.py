"""`musetalk prepare` without the terminal: what it makes, and the sentence for everything it cannot."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.prepared_avatar import load_avatar
from ws_service.avatars.prepare_command import prepare_avatar
from ws_service.errors import StartError

PORTRAIT = Path(__file__).parents[3] / "models" / "preparation" / "builtin" / "portrait.png"


def test_a_photo_becomes_an_avatar_and_force_replaces_it(tmp_path: Path) -> None:
    prepare_avatar(tmp_path, "anna", image=PORTRAIT, video=None, force=False)
    first = load_avatar(tmp_path / "anna")
    assert {"idle_0", "speaking_0", "action_1", "action_2"} <= set(first.videos)
    with pytest.raises(StartError, match="--force"):
        prepare_avatar(tmp_path, "anna", image=PORTRAIT, video=None, force=False)
    prepare_avatar(tmp_path, "anna", image=PORTRAIT, video=None, force=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["anna"], "nothing is left over"


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 65])
def test_a_name_out_of_form_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StartError, match="name"):
        prepare_avatar(tmp_path, name, image=PORTRAIT, video=None, force=False)


def test_exactly_one_of_image_and_video_is_needed(tmp_path: Path) -> None:
    for image, video in ((None, None), (PORTRAIT, PORTRAIT)):
        with pytest.raises(StartError, match="--image or --video"):
            prepare_avatar(tmp_path, "anna", image=image, video=video, force=False)


def test_a_picture_without_a_face_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    grey = tmp_path / "grey.png"
    cv2.imwrite(str(grey), np.full((400, 400, 3), 128, np.uint8))
    with pytest.raises(StartError, match=r"grey\.png.*no face"):
        prepare_avatar(tmp_path / "avatars", "anna", image=grey, video=None, force=False)
    assert not list((tmp_path / "avatars").iterdir())
