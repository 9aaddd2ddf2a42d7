"""How well the shipped file follows speech: the table in README.md.

    python -m models.light.training.score --net models/light/mouth_net.npz

Owns the evaluation sets (voices training never hears, and one it does) and the figures. Everything is measured after
the filter, at 25 pictures a second, against the phones' dominance curves: what a viewer would see.
"""

import argparse
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.light.mel import SAMPLE_RATE_HZ
from models.light.mouth_net import PICTURE_SAMPLES, MouthNet
from models.light.mouth_parameters import MouthFilter
from models.light.training.phones import OPEN_VOWELS, mouth_curves, pool_over_picture
from models.light.training.utterance import Utterance, with_level

PICTURE_S = PICTURE_SAMPLES / SAMPLE_RATE_HZ
_GRID_S = 0.005
_LAGS = range(-40, 41)  # in grid steps: +-200 ms


class Figures(NamedTuple):
    """One row of the table. Correlations are with the phones' curves; lag is positive when the mouth is late."""

    opening: float  # of open * (1 - 0.85 close), at no lag
    best_opening: float  # at the best lag
    lag_ms: float
    wide: float
    pucker: float
    close: float
    fv: float
    closed_on_pbm: float  # P(opening at a p, b, m < opening at an open vowel), all pairs
    amplitude: float  # standard deviation of the opening, measured over true
    busyness: float  # mean change of the opening from picture to picture, measured over true
    true_opening: float  # the correlation that the true parameters reach at 25 pictures a second


def estimate(net: MouthNet, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network's estimate for every picture of an utterance. (ceil(n / 640), 6)."""
    pictures = -(-len(samples) // PICTURE_SAMPLES)
    padded = np.zeros(net.past_samples + pictures * PICTURE_SAMPLES + net.future_samples, np.float32)
    padded[net.past_samples : net.past_samples + len(samples)] = samples
    windows = np.lib.stride_tricks.sliding_window_view(padded, net.window_samples)[::PICTURE_SAMPLES]
    return net.forward(np.ascontiguousarray(windows[:pictures]))


def smooth(estimates: NDArray[np.float32]) -> NDArray[np.float32]:
    """The estimates of one utterance through its filter."""
    mouth_filter = MouthFilter()
    return np.stack([mouth_filter.step(estimate) for estimate in estimates])


def true_parameters(utterance: Utterance) -> NDArray[np.float32]:
    """What a perfect network would say: the curves pooled over each picture. (ceil(n / 640), 6)."""
    pictures = -(-len(utterance.samples) // PICTURE_SAMPLES)
    times_s = (np.arange(4 * pictures) + 0.5) * PICTURE_S / 4
    return pool_over_picture(mouth_curves(utterance.segments, times_s).reshape(pictures, 4, 6))


def opening(parameters: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far apart the renderer draws the lips, 0..1."""
    return parameters[..., 0] * (1 - 0.85 * parameters[..., 3])


def figures(utterances: Iterable[Utterance], parameters_of: Callable[[Utterance], NDArray[np.float32]]) -> Figures:
    """Score any way of getting parameters."""
    shown, truth, oracle, shown_all, closed, vowels = [], [], [], [], [], []
    steps, true_steps = [], []
    for utterance in utterances:
        parameters, perfect = parameters_of(utterance), true_parameters(utterance)
        middles_s = (np.arange(len(parameters)) + 0.5) * PICTURE_S
        times_s = np.arange(0.2, utterance.duration_s - 0.2, _GRID_S)
        if len(times_s) < 2:
            continue
        lips, perfect_lips = opening(parameters), opening(perfect)
        shown.append(np.stack([np.interp(times_s + lag * _GRID_S, middles_s, lips) for lag in _LAGS]))
        oracle.append(np.interp(times_s, middles_s, perfect_lips))
        truth.append(mouth_curves(utterance.segments, times_s))
        shown_all.append(np.stack([np.interp(times_s, middles_s, column) for column in parameters.T], axis=1))
        steps.append(np.abs(np.diff(lips)))
        true_steps.append(np.abs(np.diff(perfect_lips)))
        for segment in utterance.segments:
            here = float(np.interp((segment.start_s + segment.end_s) / 2, middles_s, lips))
            if segment.phone_class == "PBM":
                closed.append(here)
            elif segment.phone_class in OPEN_VOWELS:
                vowels.append(here)
    lagged, target, perfect = np.concatenate(shown, axis=1), np.concatenate(truth), np.concatenate(oracle)
    every = np.concatenate(shown_all)
    correlations = np.array([_correlation(row, target[:, 0]) for row in lagged])
    best = int(correlations.argmax())
    columns = [_correlation(every[:, k], target[:, k]) for k in range(1, 5)]
    open_vowels = np.sort(vowels)
    below = 1 - (np.searchsorted(open_vowels, closed, "left") + np.searchsorted(open_vowels, closed, "right")) / (
        2 * len(open_vowels)
    )
    zero = list(_LAGS).index(0)
    return Figures(
        opening=float(correlations[zero]),
        best_opening=float(correlations[best]),
        lag_ms=1000 * _GRID_S * list(_LAGS)[best],
        wide=columns[0],
        pucker=columns[1],
        close=columns[2],
        fv=columns[3],
        closed_on_pbm=float(np.mean(below)),
        amplitude=float(lagged[zero].std() / perfect.std()),
        busyness=float(np.concatenate(steps).mean() / np.concatenate(true_steps).mean()),
        true_opening=_correlation(perfect, target[:, 0]),
    )


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Pearson's; 0 when one of them never changes."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0


def evaluation_sets() -> dict[str, list[Utterance]]:
    """Name -> utterances, clean, at the corpus's level. Sentences differ from the training's (other seeds)."""
    from models.light.training import espeak, festvox, prompts

    sets: dict[str, Iterable[Utterance]] = {
        "espeak, unseen variants": espeak.espeak_utterances(6, 9001, unseen=True),
        "flite rms, other sentences": festvox.flite_utterances("rms", 5, 9002),
        "flite slt, other sentences": festvox.flite_utterances("slt", 5, 9003),
        "hts slt (family kept out)": festvox.festival_utterances("cmu_us_slt_arctic_hts", 5, 9004),
        "hts ona, Catalan (family kept out)": festvox.festival_utterances("upc_ca_ona_hts", 5, 9005),
        "recorded woman, English (Allison)": prompts.warped_prompts(),
    }
    return {
        name: [Utterance(u.voice, with_level(u.samples), u.segments, u.text) for u in utterances]
        for name, utterances in sets.items()
    }


def _conditions() -> dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]]:
    """Other levels and white noise at two distances from the speech."""
    rng = np.random.default_rng(1)

    def noisy(samples: NDArray[np.float32], distance_db: float) -> NDArray[np.float32]:
        level = np.sqrt(np.mean(samples**2)) * 10 ** (-distance_db / 20)
        return (samples + level * rng.standard_normal(len(samples))).astype(np.float32)

    return {
        "12 dB quieter": lambda samples: samples * np.float32(10 ** (-12 / 20)),
        "8 dB louder": lambda samples: np.clip(samples * np.float32(10 ** (8 / 20)), -1, 1),
        "noise 20 dB below": lambda samples: noisy(samples, 20),
        "noise 10 dB below": lambda samples: noisy(samples, 10),
    }


def _print_row(name: str, row: Figures) -> None:
    values = (f"{value:.0f}" if field == "lag_ms" else f"{value:.3f}" for field, value in row._asdict().items())
    print(f"| {name} | " + " | ".join(values) + " |", flush=True)


def main() -> None:
    """Command line: prints the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/voice/evaluation.pickle"), help="made when missing")
    arguments = parser.parse_args()
    if not arguments.cache.exists():
        arguments.cache.write_bytes(pickle.dumps(evaluation_sets()))
    sets: dict[str, list[Utterance]] = pickle.loads(arguments.cache.read_bytes())
    net = MouthNet.load(arguments.net)
    print("| voices | " + " | ".join(name.replace("_", " ") for name in Figures._fields) + " |")
    print("|---" * (1 + len(Figures._fields)) + "|")
    for name, utterances in sets.items():
        _print_row(name, figures(utterances, lambda utterance: smooth(estimate(net, utterance.samples))))
    name = "recorded woman, English (Allison)"
    for change, changed in _conditions().items():
        _print_row(f"{name}, {change}", figures(sets[name], lambda u, f=changed: smooth(estimate(net, f(u.samples)))))
    rng = np.random.default_rng(0)
    for name, wave in (
        ("silence", np.zeros(48_000)),
        ("noise at -35 dBFS", rng.standard_normal(48_000) * 10 ** (-35 / 20)),
    ):
        still = smooth(estimate(net, wave.astype(np.float32)))
        print(
            f"{name}: largest open {still[:, 0].max():.3f}, close {still[:, 3].max():.3f}, wide {still[:, 1].max():.3f}"
        )


if __name__ == "__main__":
    main()
