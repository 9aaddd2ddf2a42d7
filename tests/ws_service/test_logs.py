"""Log lines: on standard error, as JSON or for people, with the session they belong to."""

import json
import logging

import pytest
import structlog
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from ws_service.logs import configure_logs


@pytest.fixture(autouse=True)
def _logs_as_before():
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers = handlers
    structlog.reset_defaults()


def test_json_lines_hold_level_time_and_session(capsys):
    configure_logs("info", "json")
    structlog.get_logger().bind(session_id="s1").info("session opened", avatar="default")
    out, err = capsys.readouterr()
    assert out == ""
    line = json.loads(err)
    assert (line["event"], line["level"], line["session_id"], line["avatar"]) == (
        "session opened", "info", "s1", "default",
    )  # fmt: skip
    assert line["timestamp"][:2] == "20"


def test_console_lines_are_for_people(capsys):
    configure_logs("info", "console")
    structlog.get_logger().bind(session_id="s1").warning("slow reader")
    err = capsys.readouterr().err
    assert "slow reader" in err
    assert "session_id=s1" in err
    assert "\x1b" not in err, "no colours where no terminal is"


def test_what_is_below_the_level_is_left_out(capsys):
    configure_logs("warning", "json")
    log = structlog.get_logger()
    log.info("not this")
    log.error("but this")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["but this"]


def test_an_exception_is_one_line_of_json(capsys):
    configure_logs("info", "json")
    try:
        raise ValueError("bad window")
    except ValueError as error:
        structlog.get_logger().error("session failed", exc_info=error)
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: bad window" in json.loads(line)["exception"]


@pytest.mark.parametrize(("level", "expected"), [("debug", logging.WARNING), ("error", logging.ERROR)])
def test_libraries_are_heard_from_warning_on(level, expected):
    logging.getLogger().handlers = []  # the test runner's own would keep the root as it is
    configure_logs(level, "console")
    assert logging.getLogger().level == expected


def test_what_libraries_say_has_the_same_form_traceback_and_all(capsys):
    logging.getLogger().handlers = []
    configure_logs("info", "json")
    log = logging.getLogger("uvicorn.error")
    log.info("not this")
    log.warning("a client sent %d bytes too many", 3)
    try:
        raise ValueError("bad route")
    except ValueError:
        log.exception("Exception in ASGI application")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["event"], first["level"], first["logger"], first["timestamp"][:2]) == (
        "a client sent 3 bytes too many", "warning", "uvicorn.error", "20",
    )  # fmt: skip
    assert "ValueError: bad route" in second["exception"]


def test_broken_forms_do_not_fill_the_log(capsys):
    logging.getLogger().handlers = []
    configure_logs("info", "console")
    parser = MultipartParser(b"x", {})
    with pytest.raises(MultipartParseError):
        parser.write(b"--y\r\n")
    assert capsys.readouterr().err == ""
