import av
import pytest

from test_client.decoding import decode_violations
from tests.test_client.streams import access_units


def units(*indices: int) -> list[tuple[int, bytes]]:
    return [(40 * place, access_units()[index]) for place, index in enumerate(indices)]


def test_every_packet_of_a_good_stream_gives_one_picture() -> None:
    pictures: list[av.VideoFrame] = []
    assert decode_violations(units(*range(30)), pictures.append) == []
    assert [picture.pts for picture in pictures] == [40 * index for index in range(30)]


def test_idrs_in_a_row_and_a_splice_at_an_idr_are_good() -> None:
    assert decode_violations(units(0, 1, 2, 25, 25, 26, 0, 1)) == []


def test_a_stream_that_begins_in_mid_gop_is_told() -> None:
    assert decode_violations(units(1, 2))


@pytest.mark.parametrize("junk", [b"", b"\x00\x00\x01\x65junk", access_units()[1][:20]])
def test_what_does_not_decode_is_told_with_its_time(junk: bytes) -> None:
    found = decode_violations([*units(0), (40, junk)])
    assert len(found) == 1
    assert "40 ms" in found[0]


def test_a_picture_of_another_size_is_told() -> None:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width = encoder.height = 64
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = encoder.framerate = 25
    encoder.time_base = 1 / encoder.framerate
    encoder.options = {"tune": "zerolatency"}
    packet = bytes(encoder.encode(av.VideoFrame(64, 64, "yuv420p"))[0])
    assert decode_violations([(0, packet)]) == ["The picture at 0 ms is 64x64."]
