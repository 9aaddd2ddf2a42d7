from base64 import b64decode

from ws_service.video.packet import Packet


def test_base64_is_made_once_and_shared() -> None:
    packet = Packet(b"\0\0\0\1\x65", keyframe=True)
    assert b64decode(packet.base64) == packet.data
    assert packet.base64 is packet.base64


def test_packets_are_equal_when_their_bytes_are() -> None:
    packet = Packet(b"a", True)
    assert packet.base64
    assert packet == Packet(b"a", True)
    assert hash(packet) == hash(Packet(b"a", True))
    assert packet != Packet(b"a", False)
    assert packet != Packet(b"b", True)
    assert packet != "a"
    assert repr(packet) == "Packet(1 bytes, keyframe)"
