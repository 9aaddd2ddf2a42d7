from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from models.preparation.cuts import CutFinder

GREY = np.full((64, 64, 3), 90, np.uint8)


def _cut(points: np.ndarray, pictures: Sequence[np.ndarray] | None = None) -> int | None:
    """In pictures that do not change, unless there are some."""
    cuts = CutFinder()
    for frame, picture in zip(points, pictures or [GREY] * len(points), strict=True):
        cuts.see(frame, picture)
    return next(iter(cuts.cuts()), None)


def _moved(detected: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """The face at each shift (N, 2), in face widths."""
    width = np.linalg.norm(detected[454, :2] - detected[234, :2])
    points = np.repeat(detected[None], len(shifts), axis=0)
    points[..., :2] += (shifts * width)[:, None]
    return points


def _to_the_right(distances: np.ndarray) -> np.ndarray:
    return np.stack([distances, np.zeros_like(distances)], axis=-1)


def test_a_step_that_its_neighbours_do_not_share_is_a_cut(detected):
    distances = 0.005 * np.arange(40.0)
    distances[17:] += 0.04
    assert _cut(_moved(detected, _to_the_right(distances))) == 17


def test_a_face_that_goes_far_away_and_back_is_a_cut(detected):
    distances = np.zeros(20)
    distances[[8, 10]] = 0.6
    assert _cut(_moved(detected, _to_the_right(distances))) == 8


def test_a_face_of_another_size_is_a_cut(detected):
    points = np.repeat(detected[None], 20, axis=0)
    points[12:] = (points[12:] - detected[1]) * 1.3 + detected[1]
    assert _cut(points) == 12


@pytest.mark.parametrize("hz", [0.5, 1, 2, 4])
def test_a_head_that_nods_fast_is_no_cut(detected, hz):
    distances = 0.1 * np.sin(2 * np.pi * hz * np.arange(100) / 25)
    assert _cut(_moved(detected, _to_the_right(distances))) is None


@pytest.mark.parametrize("seconds", [0.2, 0.4, 1.0])
def test_a_head_that_turns_once_is_no_cut(detected, seconds):
    progress = np.clip((np.arange(60) - 20) / (25 * seconds), 0, 1)
    distances = 0.15 * progress * progress * (3 - 2 * progress)
    assert _cut(_moved(detected, _to_the_right(distances))) is None


@pytest.mark.parametrize("times", [2, 3])
def test_a_clip_that_repeats_its_frames_has_no_cuts(detected, times):
    distances = 0.1 * np.sin(2 * np.pi * np.arange(40) / 15)
    assert _cut(_moved(detected, _to_the_right(np.repeat(distances, times)))) is None


def test_a_mouth_that_opens_at_once_is_no_cut(detected):
    points = np.repeat(detected[None], 20, axis=0)
    width = np.linalg.norm(detected[454, :2] - detected[234, :2])
    below = detected[:, 1] > detected[13, 1]
    points[10:, below, 1] += 0.15 * width
    assert _cut(points) is None


def test_noise_is_no_cut(detected):
    noise = np.random.default_rng(2).normal(0, 0.004, (200, 2))
    assert _cut(_moved(detected, noise)) is None


@pytest.mark.parametrize("count", [0, 1])
def test_less_than_two_frames_have_no_cut(detected, count):
    assert _cut(np.repeat(detected[None], count, axis=0)) is None


def test_a_picture_that_changes_while_the_face_does_not_is_a_cut(detected, portrait):
    shown = [portrait] * 9 + [portrait[:, ::-1]] * 9
    assert _cut(np.repeat(detected[None], 18, axis=0), shown) == 9


def test_a_flash_and_a_light_that_fades_are_no_cuts(detected, portrait):
    points, picture = np.repeat(detected[None], 40, axis=0), cv2.resize(portrait, (128, 128)).astype(float)
    flash = [picture] * 12 + [picture + 60] + [picture] * 27
    assert _cut(points, [np.clip(shown, 0, 255).astype(np.uint8) for shown in flash]) is None
    light = 1 - 0.5 * np.clip((np.arange(40) - 10) / 5, 0, 1)
    assert _cut(points, [(picture * share).astype(np.uint8) for share in light]) is None


def test_a_frame_without_a_face_is_no_cut_and_hides_none(detected, portrait):
    points = list(_moved(detected, _to_the_right(np.repeat([0.0, 0.05], [12, 28]))))
    cuts = CutFinder()
    for index, face in enumerate(points):
        cuts.see(None if index in (14, 30) else face, np.zeros_like(portrait) if index in (14, 30) else portrait)
    assert cuts.cuts() == [12]
