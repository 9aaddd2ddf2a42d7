import numpy as np
import pytest

from tests.ws_service.video.decoding import decode_strictly, psnr_db
from tests.ws_service.video.pictures import head
from ws_service.video import bitstream
from ws_service.video.encoder import EncodingError, H264Encoder


def test_each_picture_gives_one_sound_packet_at_once() -> None:
    encoder = H264Encoder()
    pictures = head(60)
    packets = [encoder.encode(picture) for picture in pictures]
    assert [bitstream.faults(packet.data) for packet in packets] == [[]] * 60
    assert [n for n, packet in enumerate(packets) if packet.keyframe] == [0, 25, 50]
    assert all(packet.keyframe == bitstream.is_idr(packet.data) for packet in packets)
    decoded = decode_strictly(packets)
    assert min(psnr_db(a, b) for a, b in zip(pictures, decoded, strict=True)) > 34


def test_the_stream_is_baseline_and_says_so_before_the_first_picture() -> None:
    encoder = H264Encoder()
    assert encoder.codec == "avc1.42C01E"
    assert bitstream.codec_string(encoder.encode(head(60)[0]).data) == encoder.codec


def test_an_access_unit_begins_with_its_parameter_sets_and_carries_no_advertisement() -> None:
    packet = H264Encoder().encode(head(60)[0])
    assert bitstream.nal_types(packet.data) == [7, 8, 5]


def test_a_keyframe_comes_when_asked_and_the_count_starts_anew() -> None:
    encoder = H264Encoder()
    packets = [encoder.encode(picture, n in (7, 8)) for n, picture in enumerate(head(60)[:40])]
    assert [n for n, packet in enumerate(packets) if packet.keyframe] == [0, 7, 8, 33]
    decode_strictly(packets)


def test_all_intra_gives_packets_that_decode_alone() -> None:
    encoder = H264Encoder(all_intra=True)
    for picture in head(60)[:6]:
        packet = encoder.encode(picture)
        assert packet.keyframe
        assert bitstream.faults(packet.data) == []
        assert psnr_db(decode_strictly([packet])[0], picture) > 34


def test_all_encoders_have_the_same_parameter_sets() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (768, 512), np.uint8)
    packets = [H264Encoder().encode(head(60)[0]), H264Encoder().encode(noise)]
    assert len({bitstream.parameter_sets(packet.data) for packet in packets}) == 1
    intra = H264Encoder(all_intra=True).encode(head(60)[0])
    assert bitstream.parameter_sets(intra.data)[0] == bitstream.parameter_sets(packets[0].data)[0]


def test_a_stream_may_change_to_all_intra_and_back() -> None:
    packets = []
    for all_intra in (False, True, False):
        encoder = H264Encoder(all_intra=all_intra)
        packets += [encoder.encode(picture) for picture in head(60)[:5]]
    decode_strictly(packets)


def test_a_new_encoder_makes_the_same_bytes() -> None:
    streams = []
    for _ in range(2):
        encoder = H264Encoder()
        streams.append([encoder.encode(picture) for picture in head(60)[:10]])
    assert streams[0] == streams[1]


@pytest.mark.parametrize("all_intra", [False, True])
def test_a_coarser_quantizer_gives_fewer_bytes_and_the_same_parameter_sets(all_intra: bool) -> None:
    streams = []
    for quantizer in (20, 26, 32):
        encoder = H264Encoder(all_intra=all_intra, quantizer=quantizer)
        streams.append([encoder.encode(picture) for picture in head(60)[:10]])
    sizes = [sum(len(packet.data) for packet in stream) for stream in streams]
    assert sizes[0] > 1.5 * sizes[1] > 2 * sizes[2]
    assert len({bitstream.parameter_sets(stream[0].data) for stream in streams}) == 1
    decode_strictly([packet for stream in streams for packet in stream])


def test_read_only_pictures_are_encoded_where_they_lie() -> None:
    picture = head(60)[0].copy()
    picture.flags.writeable = False
    assert H264Encoder().encode(picture) == H264Encoder().encode(head(60)[0])


def test_the_picture_is_not_kept_or_changed() -> None:
    encoder = H264Encoder()
    picture = head(60)[0].copy()
    first = encoder.encode(picture)
    assert np.array_equal(picture, head(60)[0])
    picture[:] = 128
    assert psnr_db(decode_strictly([first])[0], head(60)[0]) > 34


@pytest.mark.parametrize("wrong", [np.zeros((512, 512), np.uint8), np.zeros((768, 512), np.float32)])
def test_another_shape_or_type_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="picture is"):
        H264Encoder().encode(wrong)


def test_a_picture_that_is_not_contiguous_is_taken_too() -> None:
    wide = np.zeros((768, 1024), np.uint8)
    wide[:, ::2] = head(60)[5]
    assert H264Encoder().encode(wide[:, ::2]) == H264Encoder().encode(head(60)[5])


def test_a_closed_encoder_says_so() -> None:
    encoder = H264Encoder()
    encoder.close()
    encoder.close()
    with pytest.raises(EncodingError, match="closed"):
        encoder.encode(head(60)[0])
