"""Finds when each phone of a known text was said: a best path through class scores, or a warp onto another speaker.

Owns the two dynamic programmes. numpy only; must not import torch or read files.
"""

import numpy as np
from numpy.typing import NDArray

from models.light.training.phones import CLASS_INDEX, CLASSES, Segment

FRAME_S = 0.01


def chain_of(classes: list[str]) -> tuple[list[int], list[bool]]:
    """The left-to-right chain of class indices, and which may be skipped: pauses.

    A phone is two states, so it lasts at least 20 ms; a pause is one.
    """
    names = ["sil"]
    for name in classes:
        if name != "sil":
            names += [name, name]
        elif names[-1] != "sil":
            names.append(name)
    if names[-1] != "sil":
        names.append("sil")
    return [CLASS_INDEX[name] for name in names], [name == "sil" for name in names]


def viterbi(scores: NDArray[np.float32], states: list[int], optional: list[bool]) -> NDArray[np.int64]:
    """The best monotone path through the chain. (frames, classes) log scores -> (frames,) index into `states`."""
    emission = scores[:, states]
    frames, count = emission.shape
    skippable = np.r_[False, np.array(optional)[:-1]]  # the state before this one may be jumped over
    best = np.full(count, -1e9)
    best[0] = emission[0, 0]
    if optional[0]:
        best[1] = emission[0, 1]
    steps = np.zeros((frames, count), np.int8)
    for t in range(1, frames):
        one, two = np.r_[-1e9, best[:-1]] - 0.3, np.r_[-1e9, -1e9, best[:-2]] - 0.3
        moves = np.stack([best, one, np.where(skippable, two, -1e9)])
        steps[t] = moves.argmax(axis=0)
        best = moves.max(axis=0) + emission[t]
    state = count - 1 if not optional[-1] or best[-1] >= best[-2] else count - 2
    path = np.empty(frames, np.int64)
    for t in range(frames - 1, -1, -1):
        path[t] = state
        state -= int(steps[t, state])
    return path


def segments_of(path: NDArray[np.int64], states: list[int], duration_s: float) -> list[Segment]:
    """The timed classes of a path through 10 ms frames centred at 0, 10, 20 ms, ..."""
    second_half = np.zeros(len(states), bool)
    for state in range(1, len(states)):
        phone = states[state] != CLASS_INDEX["sil"]
        second_half[state] = phone and states[state] == states[state - 1] and not second_half[state - 1]
    phones = path - second_half[path]  # both states of a phone counted as its first
    changes = np.flatnonzero(np.diff(phones)) + 1
    edges_s = np.r_[0.0, changes * FRAME_S - FRAME_S / 2, duration_s]
    triples = zip(edges_s[:-1], edges_s[1:], phones[np.r_[0, changes]], strict=True)
    return [Segment(float(a), float(b), CLASSES[states[phone]]) for a, b, phone in triples]


def warp(reference: NDArray[np.float64], recording: NDArray[np.float64]) -> NDArray[np.float64]:
    """Dynamic time warping: for every reference frame the mean frame of the recording it meets."""
    distance = np.sqrt(((reference[:, None] - recording[None]) ** 2).sum(axis=2))
    distance /= distance.mean() + 1e-9
    rows, columns = distance.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0
    for i in range(1, rows + 1):
        above, line, cost = total[i - 1], total[i], distance[i - 1]
        reach = np.minimum(above[1:] + 0.1, above[:-1])  # the diagonal is free, a stretch costs a little
        value = np.inf
        for j in range(columns):
            value = min(reach[j], value + 0.1) + cost[j]
            line[j + 1] = value
    i, j, met = rows, columns, [[] for _ in range(rows)]
    while i > 0 and j > 0:
        met[i - 1].append(j - 1)
        moves = (total[i - 1, j - 1], total[i - 1, j] + 0.1, total[i, j - 1] + 0.1)
        move = int(np.argmin(moves))
        i, j = i - (move != 2), j - (move != 1)
    return np.array([np.mean(frames) for frames in met])
