"""A smooth displacement field through scattered points, by radial basis functions.

Owns the mathematics and nothing else: no pictures, no face. f(q) = sum_i w_i phi(|q - c_i|) + a linear part, with
Hardy's multiquadric phi(r) = sqrt(r^2 + s^2) ("Multiquadric equations of topography", J. Geophys. Res. 76, 1971).
Lengths are in units of the face's width.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.light.scratch import Scratch

# s: rounds the field off at its points, so that a grid of nodes can carry it.
_SOFTNESS = 0.020
# Nearly exact interpolation. A smoother field would leave a strip of teeth between closed lips.
_RIDGE = 5e-4
# 1, x, y, r^2 of a point to r^2 + s^2, -2 x, -2 y, 1
_TO_TERMS = np.array([[_SOFTNESS**2, 0, 0, 1], [0, -2, 0, 0], [0, 0, -2, 0], [1, 0, 0, 0]])


def fit_field(centres: NDArray[np.float64], values: NDArray[np.float64], scratch: Scratch) -> NDArray[np.float64]:
    """Coefficients (n + 3, 2) of the field with `values` (n, 2) at `centres` (n, 2); the last rows are 1, x, y.

    Raises `ModelError` where the centres determine no field, as when all lie on one line.
    """
    count = len(centres)
    places = _places(centres)
    phi = scratch.array("phi", (count, count), np.float64)
    np.matmul(places, _terms(places), out=phi)
    system = scratch.array("system", (count + 3, count + 3), np.float64)
    cv2.sqrt(phi, system[:count, :count])
    system.reshape(-1)[: count * (count + 3) : count + 4] -= _RIDGE
    system[:count, count:] = places[:, :3]
    system[count:, :count] = places[:, :3].T
    system[count:, count:] = 0
    right = np.zeros((count + 3, 2))
    right[:count] = values
    # OpenCV's, for numpy's may start BLAS threads, which cost more than they save on a system this small
    solved, coefficients = cv2.solve(system, right, flags=cv2.DECOMP_LU)
    if not solved:
        raise ModelError("the control points of this face determine no field")
    return np.asarray(coefficients, np.float64)


def evaluate_field(
    coefficients: NDArray[np.float64], centres: NDArray[np.float64], queries: NDArray[np.float32], scratch: Scratch
) -> NDArray[np.float32]:
    """The field at some places: (m, 2).

    `queries`: (m, 4), columns 1, x, y and x^2 + y^2, so that a squared distance is one dot product.
    """
    count = len(centres)
    phi = scratch.array("query_phi", (len(queries), count))
    np.matmul(queries, _terms(_places(centres)).astype(np.float32), out=phi)
    cv2.sqrt(phi, phi)
    weights = coefficients.astype(np.float32)
    field = phi @ weights[:count]
    field += queries[:, :3] @ weights[count:]
    return field


def _places(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4): 1, x, y and x^2 + y^2 of each point; times the `_terms` of others: distances, softened, squared."""
    places = np.empty((len(points), 4))
    places[:, 0] = 1
    places[:, 1:3] = points
    np.einsum("ij,ij->i", points, points, out=places[:, 3])
    return places


def _terms(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, n), see `_places`."""
    return _TO_TERMS @ places.T
