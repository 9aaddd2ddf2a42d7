from hypothesis import given
from hypothesis import strategies as st

from test_client.annexb import NAL_IDR_SLICE, NAL_PPS, NAL_SLICE, NAL_SPS, has_idr, inspect
from tests.test_client.streams import access_units


def test_an_idr_of_x264_shows_its_parameter_sets_and_its_codec() -> None:
    unit = inspect(access_units()[0])
    assert {NAL_SPS, NAL_PPS, NAL_IDR_SLICE} <= set(unit.nal_types)
    assert unit.is_idr
    assert unit.has_parameter_sets
    assert unit.codec == "avc1.42C01E"
    assert (unit.pictures, unit.has_b_slice, unit.starts_with_start_code) == (1, False, True)


def test_a_p_picture_is_one_picture_without_parameter_sets() -> None:
    unit = inspect(access_units()[1])
    assert unit.nal_types[-1] == NAL_SLICE
    assert not unit.is_idr
    assert not has_idr(access_units()[1])
    assert (unit.pictures, unit.has_parameter_sets, unit.codec) == (1, False, None)


def test_a_slice_type_of_b_is_seen() -> None:
    # ue(0) = 1, ue(1) = 010: first macroblock 0, slice type B
    assert inspect(b"\x00\x00\x01\x01" + bytes([0b10100000, 0])).has_b_slice
    # ue(0), ue(6) = 00111: the same for all slices of the picture
    assert inspect(b"\x00\x00\x01\x01" + bytes([0b10011100, 0])).has_b_slice
    # ue(0), ue(5) = 00110: P
    assert not inspect(b"\x00\x00\x01\x01" + bytes([0b10011000, 0])).has_b_slice


def test_a_second_slice_of_a_picture_is_no_second_picture() -> None:
    first, second = b"\x00\x00\x01\x65\xb8\x00", b"\x00\x00\x01\x65\x4b\x80"
    assert inspect(first + second).pictures == 1


def test_bytes_before_the_first_start_code_are_seen_but_zeros_are_allowed() -> None:
    assert inspect(b"\x00" + access_units()[0]).starts_with_start_code
    assert not inspect(b"\x01" + access_units()[0]).starts_with_start_code


@given(st.binary(max_size=300))
def test_junk_never_raises(junk: bytes) -> None:
    unit = inspect(junk)
    assert unit.pictures <= len(unit.nal_types)
    inspect(b"\x00\x00\x01" + junk)
