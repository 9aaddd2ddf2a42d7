"""The phone lists of flite and festival."""

from itertools import pairwise

import pytest

from models.light.training.labels import festival_segments, flite_segments
from models.light.training.phones import Segment


def test_flite_prints_where_each_phone_ends():
    segments = flite_segments("pau:0.142 b:0.233 ay:0.433 pau:0.600")
    assert [s.phone_class for s in segments] == ["sil", "PBM", "AA", "IH", "sil"]
    assert segments[1] == Segment(0.142, 0.233, "PBM")
    assert segments[2].end_s == pytest.approx(0.333)
    assert segments[-1].end_s == pytest.approx(0.6)


def test_festival_saves_ends_after_a_header():
    segments = festival_segments("#\n0.3950 100 pau\n0.4800 100 b\n0.5850 100 aa\n", "en")
    assert segments == [Segment(0.0, 0.395, "sil"), Segment(0.395, 0.48, "PBM"), Segment(0.48, 0.585, "AA")]


def test_catalan_names_lose_their_stress_and_keep_their_sound():
    names = ["O1", "rr", "S", "ax", "tS", "pau", "_", "u1", "L"]
    labels = "#\n" + "".join(f"{k + 1}.0 100 {name}\n" for k, name in enumerate(names))
    classes = [s.phone_class for s in festival_segments(labels, "ca")]
    assert classes == ["OO", "R", "SH", "AX", "DT", "SH", "sil", "sil", "UW", "L"]


def test_segments_leave_no_gap():
    segments = flite_segments("pau:0.1 ch:0.3 ow:0.5 m:0.6")
    assert all(a.end_s == b.start_s for a, b in pairwise(segments))
