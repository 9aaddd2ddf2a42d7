"""What a client needs to know of an H.264 access unit without decoding it: its NAL units and its slice headers.

Owns no state and decodes no picture. Source of all numbers: ITU-T H.264, sections 7.3.1 to 7.3.3 and Annex B.
"""

from dataclasses import dataclass

NAL_SLICE = 1
NAL_IDR_SLICE = 5
NAL_SPS = 7
NAL_PPS = 8

_START_CODE = b"\x00\x00\x01"
_B_SLICE_TYPES = (1, 6)


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """What one message of video holds, by its NAL units' headers."""

    starts_with_start_code: bool
    nal_types: tuple[int, ...]
    pictures: int  # slices whose first macroblock is 0: each begins a picture
    has_b_slice: bool
    codec: str | None  # of the SPS, as RFC 6381 spells it; None without one

    @property
    def is_idr(self) -> bool:
        """True when every slice is of an IDR picture, and there is one."""
        slices = [kind for kind in self.nal_types if kind in (NAL_SLICE, NAL_IDR_SLICE)]
        return bool(slices) and all(kind == NAL_IDR_SLICE for kind in slices)

    @property
    def has_parameter_sets(self) -> bool:
        """True when a decoder can start here: an SPS and a PPS come with it."""
        return NAL_SPS in self.nal_types and NAL_PPS in self.nal_types


def inspect(data: bytes) -> AccessUnit:
    """Reads the headers of one Annex B access unit. Never raises: junk shows as an odd `AccessUnit`."""
    kinds: list[int] = []
    pictures = 0
    has_b_slice = False
    codec: str | None = None
    at = data.find(_START_CODE)
    starts_clean = at == 0 or (at > 0 and not any(data[:at]))
    while at >= 0:
        head = at + 3
        if head >= len(data):
            break
        kind = data[head] & 0x1F
        kinds.append(kind)
        if kind in (NAL_SLICE, NAL_IDR_SLICE):
            first_macroblock, slice_type = _two_exp_golomb(data[head + 1 : head + 17])
            pictures += first_macroblock == 0
            has_b_slice = has_b_slice or slice_type in _B_SLICE_TYPES
        elif kind == NAL_SPS and head + 4 <= len(data):
            codec = f"avc1.{data[head + 1]:02X}{data[head + 2]:02X}{data[head + 3]:02X}"
        at = data.find(_START_CODE, head)
    return AccessUnit(starts_clean, tuple(kinds), pictures, has_b_slice, codec)


def has_idr(data: bytes) -> bool:
    """Says whether an access unit has an IDR slice; for servers that do not mark their keyframes."""
    return NAL_IDR_SLICE in inspect(data).nal_types


def _two_exp_golomb(data: bytes) -> tuple[int, int]:
    """The first two ue(v) values of a bit string (H.264 9.1); -1 for a value that is cut short."""
    bits = int.from_bytes(data, "big")
    left = len(data) * 8
    values: list[int] = []
    for _ in range(2):
        zeros = left - (bits & ((1 << left) - 1)).bit_length()
        length = 2 * zeros + 1
        if zeros > 32 or length > left:
            return (values[0] if values else -1), -1
        left -= length
        values.append(((bits >> left) & ((1 << length) - 1)) - 1)
    return values[0], values[1]
