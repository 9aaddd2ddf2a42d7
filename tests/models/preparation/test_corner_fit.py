import cv2
import numpy as np

from models.preparation.corner_fit import fit_corners
from tests.faces.spoken import mesh
from tests.faces.variants import smile


def test_the_corners_of_closed_lips_stay(portrait, detected):
    assert np.array_equal(fit_corners(portrait, detected), detected)


def test_the_corners_of_a_smile_move_to_where_its_dark_ends(portrait, detected):
    picture = smile(portrait, detected)
    points = mesh().find_one(picture, "smile")
    fitted = fit_corners(picture, points)
    moved = np.flatnonzero((fitted != points).any(axis=1))
    assert set(moved) <= {78, 308}
    lightness = cv2.cvtColor(picture, cv2.COLOR_BGR2LAB)[..., 0]
    for inner, outer in ((78, 61), (308, 291)):
        passed, beyond = (
            [lightness[y, x] for x, y in np.rint(np.linspace(begin[:2], end[:2], 9)).astype(int)]
            for begin, end in ((points[inner], fitted[inner]), (fitted[inner], points[outer]))
        )
        assert min(passed) < 50  # of 255
        assert np.median(beyond) > 120


def test_corners_without_dark_stay_though_the_lips_are_apart(portrait, detected):
    points = detected.copy()
    points[14, 1] += 30
    assert np.array_equal(fit_corners(np.full_like(portrait, 180), points), points)


def test_points_beside_the_picture_are_no_crash(portrait, detected):
    points = detected - np.float32(3000)
    points[14, 1] += 30
    assert np.array_equal(fit_corners(portrait, points), points)
