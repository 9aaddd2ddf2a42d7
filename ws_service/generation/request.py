"""One frame of speech on its way to the engine. Holds no policy and no thread."""

import asyncio
from dataclasses import dataclass

from models.interface import Mouth, SpeechFrame


@dataclass(slots=True, eq=False)
class GenerationRequest:
    """`deadline_s`: the tick that shows the frame, on the event loop's clock. A cancelled future is not computed."""

    frame: SpeechFrame
    deadline_s: float
    mouth: "asyncio.Future[Mouth]"

    @property
    def dropped(self) -> bool:
        """Nobody waits for it any more."""
        return self.mouth.done()
