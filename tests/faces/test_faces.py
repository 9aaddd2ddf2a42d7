"""Kinds of face: what can speak does so on every one of them, what cannot is refused with the reason.

All kinds, with pictures: `python -m tests.faces FOLDER`.
"""

import numpy as np
import pytest

from models.errors import PreparationError
from models.preparation.face_fitness import refuse_unfit
from models.preparation.face_look import look_at
from models.preparation.face_warnings import face_warnings, lip_gaps
from tests.faces import obstacles
from tests.faces.kinds import REFUSED, USABLE
from tests.faces.spoken import judged, mesh, mouths, prepared, variant_of
from tests.models.light.faces import PBM


@pytest.mark.parametrize("kind", ["dark, beard, glasses", "teeth, dark skin", "hair over the jaw", "25 degrees left"])
def test_a_face_speaks_as_the_plain_one_does(kind):
    figures = judged(prepared(variant_of(USABLE[kind]), kind), mouths("recorded_carlo_italian"), frames=8)
    assert figures.follow > 0.8
    assert figures.closed < 0.3 * figures.open
    assert figures.colour < 3
    # hair right beside the far cheek of a turned head goes along with it
    assert figures.beyond <= (2000 if "degrees" in kind else 0)


@pytest.mark.parametrize("kind", ["teeth", "teeth, dark skin"])
def test_lips_that_close_over_teeth_leave_no_dark_behind(kind):
    face = prepared(variant_of(USABLE[kind]), kind)
    luma = face.renderer.paint(PBM, face.picture, face.geometry)[:512]
    skin = np.median([luma[y, x] for x, y in np.rint(face.landmarks[[50, 280]]).astype(int)])
    corners = face.landmarks[[61, 291, 0, 17]]
    (left, top), (right, bottom) = corners.min(axis=0).astype(int) - 4, corners.max(axis=0).astype(int) + 4
    mouth = luma[top:bottom, left:right]
    assert (mouth < 0.35 * skin).sum() == 0
    assert (mouth < 0.45 * skin).sum() <= 5


@pytest.mark.parametrize("kind", sorted(USABLE))
def test_every_kind_that_can_speak_is_taken(kind):
    picture = variant_of(USABLE[kind])
    points = mesh().find_one(picture, kind)
    refuse_unfit(lip_gaps(points[None]), [look_at(picture, points)], kind)


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_what_cannot_speak_is_refused_with_the_reason(kind):
    variant, reason = REFUSED[kind]
    with pytest.raises(PreparationError, match=f"^{kind}: .*{reason}.*[.]$"):
        prepared(variant_of(variant), kind)


def test_a_finger_over_the_upper_lip_is_told_and_a_lipstick_is_not():
    (told,) = _warnings(obstacles.finger)
    assert told == "The upper lip is not to be seen; a moustache may be over it, but nothing else."
    assert _warnings(USABLE["lipstick"]) == _warnings(USABLE["plain"]) == []


def _warnings(variant):
    picture = variant_of(variant)
    points = mesh().find_one(picture, "face")
    return face_warnings(points[None], [look_at(picture, points)])


def test_a_grey_picture_is_taken():
    grey = np.repeat(variant_of(USABLE["plain"]).mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    prepared(grey, "grey.png")


def test_a_variant_is_the_same_each_time():
    assert np.array_equal(variant_of(USABLE["beard"]), variant_of(USABLE["beard"]))
