"""The mouth that is seen: as generated, held while the engine is late, closed in three frames after speech. Pure."""

from models.interface import Mouth

CLOSING_FRAMES = 3


class MouthTrack:
    """The last mouth and its weight, 0..1. At weight 0 the untouched base picture is shown."""

    def __init__(self) -> None:
        self.mouth: Mouth | None = None
        self.weight = 0.0
        self._closing_left = 0

    def speak(self, mouth: Mouth) -> None:
        """A generated mouth."""
        self.mouth, self.weight, self._closing_left = mouth, 1.0, CLOSING_FRAMES

    def rest(self) -> None:
        """No speech at this tick: one step towards the closed mouth."""
        if self._closing_left == 0:
            return
        self._closing_left -= 1
        self.weight = self._closing_left / CLOSING_FRAMES
        if self._closing_left == 0:
            self.mouth = None
