import numpy as np

from models.preparation.contours import LOWER_LID_LEFT, LOWER_LID_RIGHT, UPPER_LID_LEFT
from models.preparation.lid_fit import fit_lids

LOWER_LIDS = [*LOWER_LID_LEFT[1:-1], *LOWER_LID_RIGHT[1:-1]]


def test_lids_that_fit_stay(portrait, points, crop):
    placed = crop.place(points)
    assert np.array_equal(fit_lids(crop.cut(portrait), placed), placed)


def test_lids_inside_a_drawn_eye_move_to_its_end(portrait, points, detected, crop):
    drawn, seen = crop.place(points), crop.place(detected)
    fitted = fit_lids(crop.cut(portrait), seen)
    before = np.abs(seen - drawn)[LOWER_LIDS, 1].mean()
    after = np.abs(fitted - drawn)[LOWER_LIDS, 1].mean()
    assert before > 3
    assert after < 0.6 * before
    assert abs(fitted[33, 0] - drawn[33, 0]) < abs(seen[33, 0] - drawn[33, 0])


def test_nothing_but_lids_moves(portrait, detected, crop):
    seen = crop.place(detected)
    fitted = fit_lids(crop.cut(portrait), seen)
    moved = set(np.flatnonzero((fitted != seen).any(axis=1)))
    assert moved
    assert not moved & {1, 13, 61, 152, 27, 105}
    assert set(UPPER_LID_LEFT) & moved
    assert np.array_equal(fitted[:, 2], seen[:, 2])


def test_where_no_skin_is_found_the_points_are_trusted(points, crop):
    placed = crop.place(points)
    glitter = (np.random.default_rng(0).random((512, 512, 3)) > 0.5).astype(np.uint8) * 255
    assert np.array_equal(fit_lids(glitter, placed), placed)
