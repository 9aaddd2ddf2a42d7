import pytest

from test_client.statistics import Distribution, StreamStatistics
from tests.test_client.streams import frame


def test_a_steady_stream_has_twenty_five_frames_a_second() -> None:
    statistics = StreamStatistics(connect_began_s=-0.1)
    for index in range(51):
        statistics.video(frame(index))
    figures = statistics.figures()
    assert figures.frames == 51
    assert figures.fps == pytest.approx(25.0)
    assert figures.gaps.p99_ms == pytest.approx(40.0)
    assert figures.first_frame_ms == pytest.approx(100.0)
    assert figures.idr_spacing_frames == 25
    assert figures.missing_frames == 0


def test_an_empty_stream_has_no_figures_but_counts() -> None:
    figures = StreamStatistics(connect_began_s=0.0).figures()
    assert (figures.frames, figures.fps, figures.first_frame_ms, figures.idr_spacing_frames) == (0, None, None, None)
    assert figures.gaps == Distribution(0)


def test_missing_frames_are_counted_by_the_timestamps() -> None:
    statistics = StreamStatistics()
    for timestamp_ms in (0, 40, 200, 240):
        statistics.frame(timestamp_ms / 1000, timestamp_ms, False, False, 100)
    assert statistics.figures().missing_frames == 3


def test_the_speaking_start_is_from_the_first_audio_to_the_first_generated_frame_after_it() -> None:
    statistics = StreamStatistics()
    for index in range(10, 30):
        statistics.frame(index * 0.04, index * 40, 12 <= index < 15 or index >= 20, False, 100)
    statistics.speech_sent(0.45)
    statistics.speech_sent(0.70)
    assert statistics.figures().speaking_start_ms == pytest.approx([30.0, 100.0])


def test_speech_that_never_started_has_no_speaking_start() -> None:
    statistics = StreamStatistics()
    statistics.frame(1.0, 0, True, True, 100)
    statistics.speech_sent(2.0)
    statistics.speech_sent(3.0)
    assert statistics.figures().speaking_start_ms == []


def test_an_interrupt_takes_until_the_last_generated_frame_of_what_it_cut() -> None:
    statistics = StreamStatistics()
    for index in range(20):
        statistics.frame(index * 0.04, index * 40, index < 5 or index > 15, False, 100)
    statistics.speech_sent(0.0)
    statistics.interrupt_sent(0.1)
    statistics.speech_sent(0.5)
    assert statistics.figures().interrupt_ms == pytest.approx([60.0])


def test_an_interrupt_after_which_nothing_generated_came_took_no_time() -> None:
    statistics = StreamStatistics()
    statistics.frame(0.0, 0, True, True, 100)
    statistics.interrupt_sent(0.1)
    assert statistics.figures().interrupt_ms == [0.0]


def test_the_bitrate_counts_generated_frames_and_others_apart() -> None:
    statistics = StreamStatistics()
    for index in range(25):
        statistics.frame(index * 0.04, index * 40, True, False, 5000)
        statistics.frame(index * 0.04, index * 40, False, False, 2500)
    figures = statistics.figures()
    assert figures.speaking_mbit_s == pytest.approx(1.0)
    assert figures.idle_mbit_s == pytest.approx(0.5)


def test_less_than_a_gop_of_idling_has_no_bitrate() -> None:
    statistics = StreamStatistics()
    for index in range(24):
        statistics.frame(index * 0.04, index * 40, False, index == 0, 2500)
    assert statistics.figures().idle_mbit_s is None
    statistics.frame(0.96, 960, False, False, 2500)
    assert statistics.figures().idle_mbit_s == pytest.approx(0.5)


def test_figures_become_json() -> None:
    as_dict = StreamStatistics().figures().as_dict()
    assert as_dict["gaps"] == {"count": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None, "max_ms": None}
