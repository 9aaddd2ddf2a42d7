"""`musetalk prepare` without the terminal: what it makes, and the sentence for everything it cannot."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.preparation.steadying import Steadying
from models.prepared_avatar import load_avatar
from ws_service.avatars.prepare_command import avatar_order, prepare_avatar
from ws_service.errors import StartError

PORTRAIT = Path(__file__).parents[3] / "models" / "preparation" / "builtin" / "portrait.png"


def test_a_photo_becomes_an_avatar_and_force_replaces_it(tmp_path: Path) -> None:
    prepare_avatar(tmp_path, "anna", avatar_order(image=PORTRAIT, video=None), force=False)
    first = load_avatar(tmp_path / "anna")
    assert {"idle_0", "speaking_0", "action_1", "action_2"} <= set(first.videos)
    assert (tmp_path / "anna" / "loops.libx264.npz").is_file()
    with pytest.raises(StartError, match="--force"):
        prepare_avatar(tmp_path, "anna", avatar_order(image=PORTRAIT, video=None), force=False)
    prepare_avatar(tmp_path, "anna", avatar_order(image=PORTRAIT, video=None), force=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["anna"], "nothing is left over"


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 65])
def test_a_name_out_of_form_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StartError, match="name"):
        prepare_avatar(tmp_path, name, avatar_order(image=PORTRAIT, video=None), force=False)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "either --image"),
        ({"image": PORTRAIT, "video": PORTRAIT}, "either --image"),
        ({"video": PORTRAIT, "recording": PORTRAIT}, "either --image"),
        ({"video": PORTRAIT, "bases": ["idle_0=a.mp4"]}, "--base idle_0=a.mp4: give each name once"),
        ({"bases": ["idle_0"]}, "--base idle_0: "),
        ({"recording": PORTRAIT, "actions": ["action_1=3"]}, "--action action_1=3: "),
        ({"recording": PORTRAIT, "actions": ["action_1=1-2", "action_1=3-4"]}, "--action action_1=3-4: "),
        ({"image": PORTRAIT, "actions": ["action_1=1-2"]}, "--action goes with --recording"),
    ],
)
def test_options_that_do_not_fit_are_told(options: dict, sentence: str) -> None:
    with pytest.raises(StartError, match=sentence):
        avatar_order(**({"image": None, "video": None} | options))


def test_options_become_an_order() -> None:
    order = avatar_order(image=None, video=Path("a.mp4"), bases=["idle_1=b=c.mp4"], steadying=Steadying(tracking=False))
    assert order.clips == {"idle_0": Path("a.mp4"), "idle_1": Path("b=c.mp4")}
    assert order.steadying == Steadying(tracking=False)
    order = avatar_order(image=None, video=None, recording=Path("r.mp4"), actions=["action_1=12.5-15"])
    assert (order.recording, order.actions) == (Path("r.mp4"), {"action_1": (12.5, 15.0)})


def test_a_picture_without_a_face_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    grey = tmp_path / "grey.png"
    cv2.imwrite(str(grey), np.full((400, 400, 3), 128, np.uint8))
    with pytest.raises(StartError, match=r"grey\.png.*no face"):
        prepare_avatar(tmp_path / "avatars", "anna", avatar_order(image=grey, video=None), force=False)
    assert not list((tmp_path / "avatars").iterdir())
