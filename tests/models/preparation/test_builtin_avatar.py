import json

import cv2
import numpy as np
import pytest

from models.preparation.builtin_avatar import BUILTIN_NAME, builtin_avatar
from models.preparation.colour import i420_to_bgr
from models.preparation.idle_motion import IDLE_BLINKS
from models.prepared_avatar import PreparedAvatar
from tests.models.preparation.conftest import BUILTIN


@pytest.fixture(scope="module")
def avatar(tmp_path_factory) -> PreparedAvatar:
    return builtin_avatar(tmp_path_factory.mktemp("avatars") / BUILTIN_NAME)


def test_it_has_the_videos_a_service_needs(avatar):
    assert avatar.name == "default"
    assert set(avatar.videos) == {"idle_0", "speaking_0", "action_1", "action_2"}
    assert avatar.same_pose


def test_it_shows_the_portrait(avatar, portrait, crop):
    shown = i420_to_bgr(avatar.videos["idle_0"].pictures[0])
    assert np.abs(shown.astype(int) - crop.cut(portrait)).mean() < 12  # the head has moved by a few pixels
    corner = np.abs(shown[:40, :40].astype(int) - crop.cut(portrait)[:40, :40])
    assert corner.mean() < 2


def test_its_mouth_is_closed_and_its_lips_have_one_line(avatar):
    for video in avatar.videos.values():
        assert np.array_equal(video.landmarks[:, 13], video.landmarks[:, 14])


def test_its_blink_is_the_drawn_one(avatar, mesh):
    """In the middle of a blink there is no dark iris, and lashes lie where the lower lid is."""
    video = avatar.videos["idle_0"]
    shut, open_eyes = IDLE_BLINKS[0] + 1, IDLE_BLINKS[0] - 1
    for corner_a, corner_b, lower in ((33, 133, 145), (362, 263, 374)):
        x = int(video.landmarks[shut][[corner_a, corner_b], 0].mean())
        y = int(video.landmarks[shut][lower, 1])
        eye = np.s_[y - 13 : y - 6, x - 8 : x + 9]
        assert video.pictures[open_eyes][eye].min() < 60
        assert video.pictures[shut][eye].min() > 120
        assert video.pictures[shut][y - 5 : y + 6, x].min() < 110


def test_the_drawn_eyes_fit_the_portrait_at_their_border():
    """Pasting them changes nothing at the border of the box: no seam."""
    portrait = cv2.imread(str(BUILTIN / "portrait.png")).astype(int)
    rows = cv2.imread(str(BUILTIN / "portrait_eyes.png")).astype(int).reshape(4, 144, 366, 3)
    box = portrait[336:480, 340:706]
    for eyes in rows:
        for border in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
            assert np.abs(eyes[border] - box[border]).max() <= 1
        assert np.abs(eyes - box).max() > 100


def test_the_contours_name_every_curve():
    curves = json.loads((BUILTIN / "portrait_contours.json").read_text())
    assert len(curves) == 8
