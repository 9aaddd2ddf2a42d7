"""Figures of a stream: rate, gaps, start times, IDR spacing, bitrate. Pure: arrival times are passed in, in seconds.

Owns no clock and no output (`report` prints). Must not import the service.
"""

from array import array
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

import numpy as np

from protocol.timing import FRAME_MS, GOP_FRAMES
from test_client.events import VideoEvent


@dataclass(frozen=True, slots=True)
class Distribution:
    """Percentiles of some durations, in ms. All None when there was no value."""

    count: int
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None

    @classmethod
    def of_seconds(cls, seconds: Iterable[float]) -> "Distribution":
        """Of durations in seconds."""
        values = np.fromiter(seconds, np.float64) * 1000.0
        if not values.size:
            return cls(0)
        p50, p95, p99 = np.percentile(values, (50, 95, 99)).tolist()
        return cls(int(values.size), p50, p95, p99, float(values.max()))


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """What one connection measured. Times in ms; None where it did not happen."""

    frames: int
    generated_frames: int
    missing_frames: int  # by the jumps of the timestamps
    seconds: float
    fps: float | None
    gaps: Distribution
    first_frame_ms: float | None  # opening of the connection begun -> first frame
    speaking_start_ms: list[float] = field(default_factory=list)  # first audio sent -> first generated frame received
    interrupt_ms: list[float] = field(default_factory=list)  # INTERRUPT sent -> last generated frame received
    idr_spacing_frames: int | None = None  # the widest
    speaking_mbit_s: float | None = None  # of access units, over generated frames
    idle_mbit_s: float | None = None  # None for less than a GOP: that is what an IDR weighs

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


class StreamStatistics:
    """Gathers one connection's figures. Keeps about 20 bytes per frame."""

    def __init__(self, connect_began_s: float | None = None) -> None:
        self._connect_began_s = connect_began_s
        self._received_s = array("d")
        self._generated_s = array("d")
        self._speech_sent_s: list[float] = []
        self._interrupts_s: list[float] = []
        self._bytes = {True: 0, False: 0}  # by generated
        self._missing_frames = 0
        self._last_timestamp_ms: int | None = None
        self._since_idr: int | None = None
        self._widest_idr_spacing: int | None = None

    def video(self, event: VideoEvent) -> None:
        """Takes a received picture."""
        self.frame(event.received_s, event.timestamp_ms, event.generated, event.begins_gop, len(event.access_unit))

    def frame(self, received_s: float, timestamp_ms: int, generated: bool, keyframe: bool, size_bytes: int) -> None:
        """Takes a received picture, known by its header alone."""
        self._received_s.append(received_s)
        if generated:
            self._generated_s.append(received_s)
        self._bytes[generated] += size_bytes
        if self._last_timestamp_ms is not None:
            self._missing_frames += max((timestamp_ms - self._last_timestamp_ms) // FRAME_MS - 1, 0)
        self._last_timestamp_ms = timestamp_ms
        if self._since_idr is not None:
            self._since_idr += 1
        if keyframe:
            if self._since_idr is not None:
                self._widest_idr_spacing = max(self._widest_idr_spacing or 0, self._since_idr)
            self._since_idr = 0

    def speech_sent(self, sent_s: float) -> None:
        """Tells when the first audio of an utterance was sent while the avatar was silent."""
        self._speech_sent_s.append(sent_s)

    def interrupt_sent(self, sent_s: float) -> None:
        """Tells when an INTERRUPT was sent."""
        self._interrupts_s.append(sent_s)

    @property
    def received_s(self) -> np.ndarray:
        """Arrival times, (frames,) float64 seconds."""
        return np.array(self._received_s, np.float64)

    @property
    def generated_s(self) -> np.ndarray:
        """Arrival times of the generated frames, (generated frames,) float64 seconds."""
        return np.array(self._generated_s, np.float64)

    def gaps_s(self) -> np.ndarray:
        """Times between neighbouring frames, (frames - 1,) float64 seconds."""
        return np.diff(self.received_s)

    def speaking_starts_s(self) -> list[float]:
        """For each utterance: first audio sent -> first generated frame received."""
        generated = np.array(self._generated_s)
        starts = []
        for index, sent_s in enumerate(self._speech_sent_s):
            until_s = self._speech_sent_s[index + 1] if index + 1 < len(self._speech_sent_s) else np.inf
            after = generated[(generated > sent_s) & (generated <= until_s)]
            if after.size:
                starts.append(float(after[0] - sent_s))
        return starts

    def figures(self) -> StreamFigures:
        """The figures so far."""
        frames = len(self._received_s)
        seconds = self._received_s[-1] - self._received_s[0] if frames else 0.0
        began_s = self._connect_began_s
        idle_frames = frames - len(self._generated_s)
        return StreamFigures(
            frames=frames,
            generated_frames=len(self._generated_s),
            missing_frames=self._missing_frames,
            seconds=seconds,
            fps=(frames - 1) / seconds if seconds > 0 else None,
            gaps=Distribution.of_seconds(self.gaps_s()),
            first_frame_ms=(self._received_s[0] - began_s) * 1000 if frames and began_s is not None else None,
            speaking_start_ms=[start_s * 1000 for start_s in self.speaking_starts_s()],
            interrupt_ms=self._interrupt_ms(),
            idr_spacing_frames=self._widest_idr_spacing,
            speaking_mbit_s=_mbit_s(self._bytes[True], len(self._generated_s)),
            idle_mbit_s=_mbit_s(self._bytes[False], idle_frames) if idle_frames >= GOP_FRAMES else None,
        )

    def _interrupt_ms(self) -> list[float]:
        """For each INTERRUPT: how long generated frames of the cut speech still came; 0 where none did."""
        generated = np.array(self._generated_s)
        durations = []
        for sent_s in self._interrupts_s:
            later_s = [speech_s for speech_s in self._speech_sent_s if speech_s > sent_s]
            until_s = min(later_s, default=np.inf)
            after = generated[(generated > sent_s) & (generated <= until_s)]
            durations.append(float(after[-1] - sent_s) * 1000 if after.size else 0.0)
        return durations


def _mbit_s(size_bytes: int, frames: int) -> float | None:
    """Bits over the time that the frames show, in Mbit/s."""
    return size_bytes * 8 / (frames * FRAME_MS * 1000) if frames else None
