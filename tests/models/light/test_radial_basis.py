import numpy as np
import pytest

from models.errors import ModelError
from models.light.radial_basis import evaluate_field, fit_field
from models.light.scratch import Scratch


@pytest.fixture
def centres() -> np.ndarray:
    return np.random.default_rng(5).uniform(-0.5, 0.5, (70, 2))


def queries_of(points: np.ndarray) -> np.ndarray:
    squares = (points**2).sum(axis=1, keepdims=True)
    return np.concatenate([np.ones_like(squares), points, squares], axis=1).astype(np.float32)


def test_the_field_goes_through_the_values_at_its_centres(centres) -> None:
    values = np.random.default_rng(6).normal(0, 0.05, centres.shape)
    scratch = Scratch()
    field = fit_field(centres, values, scratch)
    there = evaluate_field(field, centres, queries_of(centres), scratch)
    assert np.abs(there - values).mean() < 0.05 * np.abs(values).mean()


def test_a_linear_field_is_reproduced_everywhere(centres) -> None:
    def linear(points):
        return points @ [[0.1, -0.2], [0.05, 0.3]] + (0.01, -0.02)

    scratch = Scratch()
    field = fit_field(centres, linear(centres), scratch)
    far = np.random.default_rng(7).uniform(-1, 1, (40, 2))
    assert np.allclose(evaluate_field(field, centres, queries_of(far), scratch), linear(far), atol=1e-4)


def test_no_values_make_no_field(centres) -> None:
    scratch = Scratch()
    field = fit_field(centres, np.zeros_like(centres), scratch)
    assert not field.any()
    assert not evaluate_field(field, centres, queries_of(centres), scratch).any()


def test_coinciding_centres_are_no_failure(centres) -> None:
    twice = np.concatenate([centres, centres[:5]])
    values = np.ones_like(twice)
    scratch = Scratch()
    there = evaluate_field(fit_field(twice, values, scratch), twice, queries_of(twice), scratch)
    assert np.allclose(there, 1, atol=1e-3)


def test_centres_on_one_line_determine_no_field() -> None:
    line = np.stack([np.linspace(0, 1, 20), np.zeros(20)], axis=1)
    with pytest.raises(ModelError, match="no field"):
        fit_field(line, np.ones_like(line), Scratch())


def test_single_precision_is_exact_to_a_thousandth_of_a_face(centres) -> None:
    values = np.random.default_rng(8).normal(0, 0.05, centres.shape)
    scratch = Scratch()
    field = fit_field(centres, values, scratch)
    places = np.random.default_rng(9).uniform(-0.5, 0.5, (50, 2))
    distance = np.sqrt(((places[:, None] - centres) ** 2).sum(axis=-1) + 0.020**2)
    exact = distance @ field[:-3] + field[-3] + places @ field[-2:]
    assert np.abs(evaluate_field(field, centres, queries_of(places), scratch) - exact).max() < 1e-3
