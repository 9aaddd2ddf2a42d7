"""How late pictures and speech came to a client, from arrival times alone. Pure; times in seconds, one clock.

A picture is due 40 ms after the one before it. A frame of speech that the engine did not make in time is shown later,
so an utterance whose frames come in more time than their number says has *slipped*.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocol.timing import FPS, FRAME_MS
from test_client.load_figures import UserRecord

STRICT_FRAMES = 2  # nothing may be later than this
STRICT_FPS = 24.9
_FRAME_S = FRAME_MS / 1000
_UTTERANCE_GAP_S = 0.9  # between utterances users pause for a second

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lateness:
    """The worst of all users. `picture_ms`: after its time; `slip_frames`: an utterance against its number of frames.

    `generated_fps`: of the slowest user, over the time that counts, for users who speak all the time.
    """

    picture_ms: float
    slip_frames: float
    generated_fps: float

    @property
    def problem(self) -> str | None:
        """What came more than two frames late; None: nothing did."""
        if self.picture_ms > STRICT_FRAMES * FRAME_MS:
            return f"a picture came {self.picture_ms:.0f} ms late"
        if self.slip_frames > STRICT_FRAMES:
            return f"speech slipped {self.slip_frames:.1f} frames"
        return None


def lateness(records: Sequence[UserRecord], from_s: float, until_s: float) -> Lateness:
    """Of the speaking users, counting what came between the two times."""
    pictures, slips, rates = [0.0], [0.0], []
    for record in records:
        if record.speaks:
            pictures.append(picture_lateness_s(_within(record.statistics.received_s, from_s, until_s)) * 1000)
            generated = _within(record.statistics.generated_s, from_s, until_s)
            slips.append(slip_s(generated) / _FRAME_S)
            rates.append(len(generated) / (until_s - from_s))
    return Lateness(max(pictures), max(slips), min(rates, default=0.0))


def picture_lateness_s(received_s: Times) -> float:
    """How long after its time the latest picture came, the earliest of all setting the time."""
    if received_s.size < 2:
        return 0.0
    offsets = received_s - np.arange(received_s.size) * _FRAME_S
    return float(offsets.max() - offsets.min())


def slip_s(generated_s: Times) -> float:
    """The most that the last frame of an utterance came later than its number says; network jitter is below a frame."""
    worst = 0.0
    for utterance in np.split(generated_s, np.flatnonzero(np.diff(generated_s) > _UTTERANCE_GAP_S) + 1):
        if utterance.size:
            worst = max(worst, float(utterance[-1] - utterance[0]) - (utterance.size - 1) * _FRAME_S)
    return worst


def strict_problem(records: Sequence[UserRecord], from_s: float, until_s: float) -> str | None:
    """Why users who speak without a pause did not all get 25 generated pictures a second in time; None: they did."""
    refused = [record.failure for record in records if record.failure is not None]
    if refused:
        return f"{len(refused)} of {len(records)} users refused or lost: {refused[0]}"
    missing = sum(record.statistics.figures().missing_frames for record in records)
    if missing:
        return f"{missing} pictures did not arrive"
    seen = lateness(records, from_s, until_s)
    allowed_fps = FPS - (STRICT_FRAMES + 1) / (until_s - from_s)  # one frame lies across the edges
    if seen.generated_fps < min(STRICT_FPS, allowed_fps):
        return f"the slowest speaker got {seen.generated_fps:.2f} generated pictures a second"
    return seen.problem


def _within(times_s: Times, from_s: float, until_s: float) -> Times:
    return times_s[(times_s >= from_s) & (times_s <= until_s)]
