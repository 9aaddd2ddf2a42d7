from dataclasses import replace

import numpy as np
import pytest

from models.preparation.face_look import FaceLook, look_at
from models.preparation.face_mesh import face_width
from models.preparation.face_warnings import face_warnings
from models.preparation.lip_look import LipLook

LOOK = FaceLook(150, 150, 15)


@pytest.fixture(scope="module")
def face(detected):
    return np.repeat(detected[None], 50, axis=0)


def test_the_built_in_face_gives_no_warning(portrait, detected):
    assert face_warnings(detected[None], [look_at(portrait, detected)]) == []


def test_a_small_face_is_told_with_its_width(face):
    small = face * np.float32(100 / face_width(face[0]))
    assert [text[:25] for text in face_warnings(small, [LOOK] * 50)] == ["The face is small: 100 pi"]


def test_a_turned_head_is_told_with_its_angle_and_the_time(face):
    turned = face.copy()
    angle = np.radians(22)
    x, z = face[25:40, :, 0], face[25:40, :, 2]
    turned[25:40, :, 0], turned[25:40, :, 2] = (
        x * np.cos(angle) - z * np.sin(angle),
        x * np.sin(angle) + z * np.cos(angle),
    )
    (text,) = face_warnings(turned, [LOOK] * 50)
    assert text.startswith("The head is turned to the side by up to 2")
    assert "at 1.0 to 1.6 s;" in text


def test_a_hidden_mouth_is_told_with_the_time(face):
    looks = [FaceLook(150, 150, 3.0 if 10 <= n < 30 or n == 40 else 15) for n in range(50)]
    (text,) = face_warnings(face, looks)
    assert text.startswith("The mouth may be hidden at 0.4 to 1.2 s and later")


def test_a_mouth_hidden_throughout_is_told_without_a_time_for_a_photo(face):
    (text,) = face_warnings(face[:1], [FaceLook(150, 150, 1.0)])
    assert text.startswith("The mouth may be hidden: ")


def test_light_that_comes_and_goes_or_wanders_is_told(face):
    wave = np.sin(np.arange(50) / 3)
    (text,) = face_warnings(face, [FaceLook(150 * (1 + 0.1 * w), 150 * (1 + 0.1 * w), 15) for w in wave])
    assert text.startswith("The light comes and goes: the face's brightness changes by 19%")
    (text,) = face_warnings(face, [FaceLook(150 * (1 + 0.15 * w), 150 * (1 - 0.15 * w), 15) for w in wave])
    assert text.startswith("The light moves from side to side")


def test_lips_that_stay_apart_are_told(face):
    apart = face.copy()
    apart[:, 14, 1] += 0.2 * np.linalg.norm(face[0, 291] - face[0, 61])
    (text,) = face_warnings(apart, [LOOK] * 50)
    assert text.startswith("The lips are apart")


def test_an_upper_lip_that_is_not_seen_most_of_the_time_is_told(face):
    for lips in (LipLook(upper_lip_contrast=1.0), LipLook(lips_differ=50.0)):
        unseen = replace(LOOK, lips=lips)
        assert face_warnings(face, [unseen] * 20 + [LOOK] * 30) == []
        (text,) = face_warnings(face, [unseen] * 30 + [LOOK] * 20)
        assert text == "The upper lip is not to be seen; a moustache may be over it, but nothing else."


def test_lips_that_are_hardly_told_from_what_is_below_them_are_told(detected):
    (text,) = face_warnings(detected[None], [replace(LOOK, lips=LipLook(distinct=0.75, chin_off=30.0))])
    assert text.startswith("The mouth may be hidden")
