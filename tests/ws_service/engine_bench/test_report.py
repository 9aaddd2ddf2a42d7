import io

from rich.console import Console

from tests.ws_service.engine_bench.results import result
from ws_service.engine_bench.figures import BenchResult
from ws_service.engine_bench.report import markdown, print_report, sheets


def test_the_block_names_card_driver_clocks_and_command() -> None:
    text = markdown(result())
    for words in ("## A Card, random weights, full size, 2026-01-31", "570.1", "clocks.sm 1980 MHz"):
        assert words in text
    assert "| command | `musetalk bench engine --random-weights` |" in text


def test_every_table_is_whole_whatever_a_cell_holds() -> None:
    tables = [block for block in markdown(result()).split("\n\n") if block.startswith("|")]
    assert len(tables) == 8
    for table in tables:
        assert len({line.replace("\\|", "").count("|") for line in table.splitlines()}) == 1
    assert "not enough \\| memory at all" in markdown(result())


def test_the_figures_stand_in_their_columns() -> None:
    made = {sheet.title.partition(",")[0]: sheet for sheet in sheets(result())}
    speed = made["Speed"]
    first = dict(zip(speed.head, speed.rows[0], strict=True))
    assert (first["frames/s"], first["times faster"], first["share of peak"]) == ("41.7", "5.50", "40.0 %")
    assert first["if its blending were free"] == "4.00"
    start = {row[0]: row[1:] for row in made["Start and memory"].rows}
    assert start["VRAM taken"] == ("6.00 GiB", "6.00 GiB")
    assert start["service ready"] == ("20.0 s", "20.0 s")


def test_a_run_that_found_out_nothing_yet_can_be_told_too() -> None:
    nothing = BenchResult("musetalk bench engine", "2026-01-31T12:00:00+00:00", "weights of x", True, True)
    assert [sheet.title for sheet in sheets(nothing)] == ["Measured on", "Targets"]
    assert "not measured" in markdown(nothing)


def test_the_terminal_shows_the_same_tables() -> None:
    screen = io.StringIO()
    print_report(result(), Console(file=screen, width=200))
    for sheet in sheets(result()):
        assert sheet.title.split()[0] in screen.getvalue()
