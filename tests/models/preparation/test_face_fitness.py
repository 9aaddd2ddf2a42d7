from dataclasses import replace

import numpy as np
import pytest

from models.errors import PreparationError
from models.preparation.face_fitness import hidden_mouths, refuse_unfit
from models.preparation.face_look import FaceLook
from models.preparation.face_warnings import lip_gaps
from models.preparation.lip_look import LipLook

GOOD = FaceLook(150, 150, 15)
HIDDEN = replace(GOOD, lip_contrast=1.0)


@pytest.fixture(scope="module")
def clip(detected):
    return np.repeat(detected[None], 50, axis=0)


def test_a_good_photo_and_a_good_clip_pass(detected, clip):
    refuse_unfit(lip_gaps(detected[None]), [GOOD], "face.png")
    refuse_unfit(lip_gaps(clip), [GOOD] * 50, "clip.mp4")


@pytest.mark.parametrize(
    ("look", "reason"),
    [
        (HIDDEN, "the mouth is hidden, .* nothing may cover them"),
        (replace(GOOD, lip_redness=-12.0), "the mouth is hidden"),
        (replace(GOOD, half_lip_contrast=1.0), "the mouth is hidden"),
        (replace(GOOD, lips=LipLook(distinct=0.6, chin_off=30.0)), "the mouth is hidden"),
        (replace(GOOD, detail=0.2), "the face is blurred; eyes and lips must be in focus"),
        (replace(GOOD, white=0.5), "the face is overexposed, 50% of it plain white; at most 35% may be"),
        (replace(GOOD, brightest=30.0), "the face is underexposed"),
    ],
)
def test_a_photo_is_refused_with_what_is_wrong_and_what_is_allowed(detected, look, reason):
    with pytest.raises(PreparationError, match=rf"^face\.png: {reason}"):
        refuse_unfit(lip_gaps(detected[None]), [look], "face.png")


def test_lips_in_a_beard_and_lips_like_the_skin_around_them_pass(detected):
    for lips in (LipLook(distinct=0.9, chin_off=30.0), LipLook(distinct=0.6, chin_off=8.0)):
        refuse_unfit(lip_gaps(detected[None]), [replace(GOOD, lips=lips)], "face.png")


def test_a_wide_open_mouth_is_refused_and_a_smile_is_not(detected):
    width = np.linalg.norm(detected[291] - detected[61])
    for share, refused in ((0.2, False), (0.4, True)):
        face = detected.copy()
        face[14, 1] = face[13, 1] + share * width
        if not refused:
            refuse_unfit(lip_gaps(face[None]), [GOOD], "face.png")
            continue
        with pytest.raises(
            PreparationError, match=r"^face\.png: the mouth is wide open, by 40% of its width; up to 28%"
        ):
            refuse_unfit(lip_gaps(face[None]), [GOOD], "face.png")


def test_a_clip_is_judged_by_most_of_its_frames(clip):
    blurred = replace(GOOD, detail=0.1)
    refuse_unfit(lip_gaps(clip), [blurred] * 20 + [GOOD] * 30, "clip.mp4")
    with pytest.raises(PreparationError, match=r"^clip\.mp4: the face is blurred"):
        refuse_unfit(lip_gaps(clip), [blurred] * 30 + [GOOD] * 20, "clip.mp4")


def test_a_mouth_hidden_for_a_while_is_told_with_its_frames_and_a_slip_is_not():
    looks = [GOOD] * 10 + [HIDDEN] * 4 + [GOOD] * 10 + [HIDDEN] * 6
    assert hidden_mouths(looks) == list(range(24, 30))
    assert hidden_mouths([GOOD] * 30) == []
