"""One frame of speech on its way to the engine. Holds no policy and no thread."""

import asyncio
from dataclasses import dataclass

from models.interface import Mouth, SpeechFrame, Voice


class PendingMouth(asyncio.Future[Mouth]):
    """A mouth that was asked for. `started`: its batch is in work or done, so that dropping it saves nothing."""

    started = False


@dataclass(slots=True, eq=False)
class GenerationRequest:
    """`deadline_s`: the first tick that wanted the frame, by the event loop. A cancelled one is not computed."""

    frame: SpeechFrame
    deadline_s: float
    mouth: PendingMouth

    @property
    def dropped(self) -> bool:
        """Nobody waits for it any more."""
        return self.mouth.done()

    @property
    def voice(self) -> Voice:
        """Whose frame it is."""
        return self.frame.voice
