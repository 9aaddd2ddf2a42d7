from rich.console import Console, RenderableType

from test_client.load_figures import load_figures
from test_client.report import load_report, stream_report
from test_client.statistics import Distribution, StreamStatistics
from tests.test_client.streams import frame
from tests.test_client.test_load_figures import user


def text_of(report: RenderableType) -> str:
    console = Console(width=120, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as capture:
        console.print(report)
    return capture.get()


def test_a_streams_figures_are_told() -> None:
    statistics = StreamStatistics(connect_began_s=-0.05)
    for index in range(51):
        statistics.video(frame(index))
    text = text_of(stream_report(statistics.figures(), [], ["Saved it."]))
    for part in ("51 (0, 0)", "25.00", "40.0 / 40.0 / 40.0 / 40.0 ms", "50 ms", "25 frames", "Saved it.", "was kept"):
        assert part in text


def test_an_empty_streams_figures_are_dashes() -> None:
    text = text_of(stream_report(StreamStatistics().figures(), ["No frame came."]))
    assert "- / - / - / - ms" in text
    assert "1 rule(s) broken:" in text
    assert "No frame came." in text


def test_many_violations_are_cut_short() -> None:
    text = text_of(stream_report(StreamStatistics().figures(), [f"Rule {index}." for index in range(50)]))
    assert "Rule 19." in text
    assert "Rule 20." not in text
    assert "and 30 more" in text


def test_square_brackets_of_a_server_are_no_markup() -> None:
    assert "[red]oops[/red]" in text_of(stream_report(StreamStatistics().figures(), [], ["[red]oops[/red]"]))


def test_a_load_run_has_a_column_for_each_kind_of_user() -> None:
    records = [user(), user(speaks=True)]
    records[0].failure = "Lost it."
    text = text_of(load_report(load_figures(records, 0.0, 10.0, 0.256, Distribution.of_seconds([0.001, 0.002]))))
    for part in ("idle", "speaking", "1 (0, 1)", "25.00 (25.00)", "26 % of a core", "1 x Lost it."):
        assert part in text
    idle_only = text_of(load_report(load_figures(records[:1], 0.0, 10.0, 0.1, Distribution(0))))
    header = next(line for line in idle_only.splitlines() if "idle" in line)
    assert "speaking" not in header
