"""Makes the corpus: each part of it one `.npz` of features, curves and labels.

    python -m models.light.training.corpus --out /tmp/voice/corpus
    python -m models.light.training.corpus --out /tmp/voice/corpus --prompts /tmp/voice/first.pt

The second form adds the recorded prompts, whose phone times the first network finds. Owns the list of parts, how much
of each and how many random recordings (copies) of every utterance.
"""

import argparse
import functools
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.light.mel import HOP_SAMPLES, SAMPLE_RATE_HZ, WINDOW_SAMPLES, log_mel
from models.light.training import background, espeak, festvox
from models.light.training.augmentation import augment
from models.light.training.phones import class_labels, mouth_curves
from models.light.training.utterance import Utterance


class Part(NamedTuple):
    """One voice family's share: who speaks, for how long, recorded how often."""

    name: str
    speak: Callable[[float, int], Iterable[Utterance]]  # (minutes, seed)
    minutes: float
    copies: int  # 0: as it is


def parts() -> list[Part]:
    """What trains. The family `hts` and the unseen espeak variants are left out on purpose."""
    flite = [
        Part(f"flite-{voice}", functools.partial(festvox.flite_utterances, voice), minutes, 3)
        for voice, minutes in (("slt", 45), ("awb", 45), ("rms", 45), ("kal16", 25))
    ]
    ked = Part("diphone-ked", functools.partial(festvox.festival_utterances, "ked_diphone"), 25, 3)
    noise = Part("background", background.background_utterances, 40, 0)
    return [Part("espeak", espeak.espeak_utterances, 480, 2), *flite, ked, noise]


def save_part(path: Path, utterances: Iterable[Utterance], copies: int, seed: int) -> float:
    """Augment, analyse and store. Returns the hours stored.

    The file holds `mel` (n, 40) float16, `curves` (n, 6) float16 and `labels` (n,) int8, utterances end to end, all at
    the centres of the analysis windows, and `starts`, the first frame of each utterance.
    """
    rng = np.random.default_rng(seed)
    mels, curves, labels, starts, frames = [], [], [], [], 0
    for utterance in utterances:
        for recording in [augment(utterance, rng) for _ in range(copies)] or [utterance]:
            mel = log_mel(recording.samples)
            times_s = frame_times_s(len(mel))
            mels.append(mel.astype(np.float16))
            curves.append(mouth_curves(recording.segments, times_s).astype(np.float16))
            labels.append(class_labels(recording.segments, times_s).astype(np.int8))
            starts.append(frames)
            frames += len(mel)
    np.savez(
        path, mel=np.concatenate(mels), curves=np.concatenate(curves), labels=np.concatenate(labels), starts=starts
    )
    return frames * HOP_SAMPLES / SAMPLE_RATE_HZ / 3600


def frame_times_s(frames: int) -> np.ndarray:
    """The centres of the analysis windows, in seconds from the first sample."""
    return (np.arange(frames) * HOP_SAMPLES + WINDOW_SAMPLES / 2) / SAMPLE_RATE_HZ


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scale", type=float, default=1.0, help="times the minutes of every part")
    parser.add_argument("--only", help="make this part alone")
    parser.add_argument("--prompts", type=Path, help="a trained network (.pt): add the recorded prompts, nothing else")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.prompts:
        from models.light.training import prompts

        for language in prompts.TRAINING_LANGUAGES:
            aligned = prompts.aligned_prompts(language, arguments.prompts)
            hours = save_part(arguments.out / f"recorded-{language}.npz", aligned, 6, seed=77)
            print(f"recorded-{language}: {hours:.2f} h", flush=True)
        return
    for seed, part in enumerate(parts()):
        if arguments.only and part.name != arguments.only:
            continue
        started = time.monotonic()
        utterances = part.speak(part.minutes * arguments.scale, 100 + seed)
        hours = save_part(arguments.out / f"{part.name}.npz", utterances, part.copies, seed)
        print(f"{part.name}: {hours:.2f} h in {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
