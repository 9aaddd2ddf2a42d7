"""The real service with the real light engine, which fails when it hears a level that no speech has.

`PROGRAM` is what `RunningService` runs: the service's own command, with this engine where the light one would be made.
"""

import threading
from collections.abc import Sequence

import numpy as np

import ws_service.service
from models.errors import EngineLost
from models.interface import Mouth, SpeechFrame
from models.light.engine import LightEngine

PROGRAM = "from tests.end_to_end.faulty_engine import install; install(); from ws_service.cli import main; main()"
BREAKS, HANGS, LOSES = 5001, 5002, 5003  # every sample of a frame has this value


def heard(level: int) -> bytes:
    """A second of sound, s16le at 16 kHz, that has the engine fail."""
    return np.full(16_000, level, np.int16).tobytes()


class FaultyEngine(LightEngine):
    """Fails by the middle of a frame's own samples, which nothing has changed on their way."""

    def generate(self, frames: Sequence[SpeechFrame]) -> list[Mouth]:
        """As the light engine, or not at all."""
        levels = {round(float(frame.window[self.past_samples + 320]) * 32768) for frame in frames}
        if BREAKS in levels:
            raise RuntimeError("broken on purpose")
        if HANGS in levels:
            threading.Event().wait()
        if LOSES in levels:
            raise EngineLost("the device fell off the bus")
        return super().generate(frames)


def install() -> None:
    """Have the service make this engine."""
    ws_service.service.create_engine = lambda *_, **__: FaultyEngine()  # type: ignore[assignment]
