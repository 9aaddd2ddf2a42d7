"""One encoded picture, ready for any number of sockets. Owns the bytes and their base64; knows no codec, no session."""

from base64 import b64encode

from ws_service.errors import ProcessingFailed


class Packet:
    """One H.264 access unit (Annex B). Treat as immutable; equal when the bytes are."""

    __slots__ = ("_base64", "data", "keyframe")

    def __init__(self, data: bytes, keyframe: bool) -> None:
        """`keyframe`: an IDR picture with its parameter sets, where a decoder can start."""
        self.data = data
        self.keyframe = keyframe
        self._base64: str | None = None

    @property
    def base64(self) -> str:
        """The bytes as base64 text, made once and kept: a loop's packets are shared by all sessions."""
        text = self._base64
        if text is None:
            text = self._base64 = b64encode(self.data).decode("ascii")
        return text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Packet) and (self.data, self.keyframe) == (other.data, other.keyframe)

    def __hash__(self) -> int:
        return hash(self.data)

    def __repr__(self) -> str:
        return f"Packet({len(self.data)} bytes{', keyframe' if self.keyframe else ''})"


class MouthLost(ProcessingFailed):
    """The mouth could not be painted; `packet` shows the base picture without it."""

    def __init__(self, message: str, packet: Packet) -> None:
        super().__init__(message)
        self.packet = packet
