"""Where each packet of one session's stream comes from: a shared loop, or the session's own encoder. Pure.

A loop's packet may be taken at the start of a group of pictures (every 25th index), or right after the same loop's
previous packet. All else is encoded; the encoder's first picture after foreign packets is an IDR, and so is every
25th. So whatever happens, the stream decodes from its first packet on and has an IDR picture at least once a second.
"""

from protocol.timing import GOP_FRAMES


class Splicer:
    """Decides packet by packet, and is followed. `all_intra`: every packet is an IDR, the loops' too."""

    def __init__(self, *, all_intra: bool = False) -> None:
        self._all_intra = all_intra
        self._previous: tuple[str, int] | None = None  # the loop packet just taken
        self._since_idr: int | None = None  # pictures in the encoder's open group; None: it has none open

    def takes_loop(self, video: str, index: int) -> bool:
        """The timeline shows untouched picture `index` of this base video; True: the loop's packet comes next."""
        if not (self._starts_group(index) or self.has_taken(video, index - 1)):
            return False
        self._previous = (video, index)
        self._since_idr = None
        return True

    def has_taken(self, video: str, index: int) -> bool:
        """The packet just taken is this one."""
        return self._previous == (video, index)

    def encodes(self) -> bool:
        """The encoder makes the next packet. True: it has to be an IDR."""
        keyframe = self._all_intra or self._since_idr is None or self._since_idr >= GOP_FRAMES
        self._previous = None
        self._since_idr = 1 if keyframe else (self._since_idr or 0) + 1
        return keyframe

    def lost(self) -> None:
        """The packet just decided did not come: whatever comes next has to start anew."""
        self._previous = None
        self._since_idr = None

    def _starts_group(self, index: int) -> bool:
        return self._all_intra or index % GOP_FRAMES == 0
