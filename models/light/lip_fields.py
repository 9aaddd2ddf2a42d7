"""Two smooth displacement fields through a mouth's control points: one for each lip and the skin on its side.

Owns the radial basis functions and nothing else: no pictures, no face. A field is f(q) = sum_i w_i phi(|q - c_i|) + a
linear part, with phi(r) = sqrt(r^2 + epsilon), about the biharmonic r (Carr et al., "Reconstruction and Representation
of 3D Objects with Radial Basis Functions", SIGGRAPH 2001). Lengths are in units of the face's width.

The fields share all centres but the inner lips', so the shared block of the equations is factored once, and each
field needs only an 11 x 11 system more: its Schur complement.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.light.face_geometry import LIP_POINTS
from models.light.scratch import Scratch

# Keeps the squared distances above zero where float32 rounds: a thousandth of the face's width.
_EPSILON = 1e-6
# Nearly exact interpolation. A smoother field would leave a strip of teeth between closed lips.
_RIDGE = 0.008


def fit_lip_fields(centres: NDArray[np.float64], values: NDArray[np.float64], scratch: Scratch) -> NDArray[np.float64]:
    """Fit both fields.

    `centres`, `values`: (shared + 22, 2); the last 22 rows are the inner upper and the inner lower lip, 11 each.
    Returns (shared + 22 + 3, 4) coefficients: upper field x, y and lower field x, y; a field's rows for the other lip
    are 0, the last three rows are its linear part: 1, x, y.
    """
    count = len(centres)
    shared = count - 2 * LIP_POINTS
    phi = _pairwise_phi(centres, scratch.array("phi", (count, count), np.float64))

    system = scratch.array("system", (shared + 3, shared + 3), np.float64)
    system[:shared, :shared] = phi[:shared, :shared]
    system[:shared, shared] = system[shared, :shared] = 1
    system[:shared, shared + 1 :] = centres[:shared]
    system[shared + 1 :, :shared] = centres[:shared].T
    system[shared:, shared:] = 0
    right = scratch.array("right", (shared + 3, 2 * LIP_POINTS + 2), np.float64)
    right[:shared, : 2 * LIP_POINTS] = phi[:shared, shared:]
    right[shared, : 2 * LIP_POINTS] = 1
    right[shared + 1 :, : 2 * LIP_POINTS] = centres[shared:].T
    right[:shared, 2 * LIP_POINTS :] = values[:shared]
    right[shared:, 2 * LIP_POINTS :] = 0

    solution = np.linalg.solve(system, right)
    shared_solution = solution[:, 2 * LIP_POINTS :]
    coupling = right[:, : 2 * LIP_POINTS].T @ solution
    fields = np.zeros((count + 3, 4))
    for lip in (0, 1):
        own = slice(LIP_POINTS * lip, LIP_POINTS * (lip + 1))
        rows = slice(shared + own.start, shared + own.stop)
        columns = slice(2 * lip, 2 * lip + 2)
        inner = np.linalg.solve(phi[rows, rows] - coupling[own, own], values[rows] - coupling[own, 2 * LIP_POINTS :])
        outer = shared_solution - solution[:, own] @ inner
        fields[:shared, columns] = outer[:shared]
        fields[rows, columns] = inner
        fields[count:, columns] = outer[shared:]
    return fields


def evaluate_lip_fields(
    fields: NDArray[np.float64],
    centres: NDArray[np.float64],
    queries: NDArray[np.float32],
    upper: slice,
    lower: slice,
    scratch: Scratch,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both fields at the queries of each slice: (n_upper, 2) and (n_lower, 2).

    `queries`: (n, 4) float32, columns 1, x, y and x^2 + y^2, so that a squared distance is one dot product.
    """
    count = len(centres)
    terms = scratch.array("terms", (4, count))
    terms[0] = (centres * centres).sum(axis=1) + _EPSILON
    terms[1:3] = -2 * centres.T
    terms[3] = 1
    phi = scratch.array("query_phi", (len(queries), count))
    np.matmul(queries, terms, out=phi)
    cv2.sqrt(phi, phi)
    weights = fields.astype(np.float32)
    parts = []
    for part, columns in ((upper, slice(0, 2)), (lower, slice(2, 4))):
        field = phi[part] @ np.ascontiguousarray(weights[:count, columns])
        field += queries[part, :3] @ np.ascontiguousarray(weights[count:, columns])
        parts.append(field)
    return parts[0], parts[1]


def _pairwise_phi(centres: NDArray[np.float64], out: NDArray[np.float64]) -> NDArray[np.float64]:
    """phi of all pairs of centres, the ridge taken off the diagonal; (n, n), symmetric."""
    np.matmul(centres, centres.T, out=out)
    squares = out.diagonal() + _EPSILON / 2
    out *= -2
    out += squares
    out += squares[:, None]
    cv2.sqrt(out, out)
    out.flat[:: len(centres) + 1] -= _RIDGE
    return out
