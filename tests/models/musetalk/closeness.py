"""How far arrays are from the reference's, in the measure the golden arrays' README states its tolerances in."""

import numpy as np
from numpy.typing import NDArray


def relative_error(ours: NDArray, reference: NDArray) -> float:
    """The largest difference as a share of the reference's largest value."""
    assert ours.shape == reference.shape
    difference = np.abs(ours.astype(np.float64) - reference).max()
    return float(difference / np.abs(reference).max())


def level_errors(ours: NDArray[np.uint8], reference: NDArray[np.uint8]) -> tuple[int, float]:
    """Largest and mean difference of two pictures, in levels of 0..255."""
    assert ours.shape == reference.shape
    difference = np.abs(ours.astype(np.int16) - reference)
    return int(difference.max()), float(difference.mean())
