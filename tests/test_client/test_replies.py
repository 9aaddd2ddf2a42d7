import asyncio

import pytest

from protocol import server_messages as say
from protocol.codes import ErrorCode
from test_client.errors import NotConnected, ServerError
from test_client.replies import Replies

CHANGED = say.StateChanged(
    session_id="s", data=say.StateChangedData(current_state="idle", current_video="idle_0")
)  # fmt: skip
INTERRUPTED = say.Interrupted(session_id="s", data=say.InterruptedData(position_ms=0))


def error(code: ErrorCode = ErrorCode.INVALID_MESSAGE) -> say.ErrorMessage:
    return say.ErrorMessage(session_id="s", data=say.ErrorData(code=code, message="No.", details={"path": "x"}))


async def test_a_reply_goes_to_the_oldest_request_for_its_type() -> None:
    replies = Replies()
    with (
        replies.expect(say.Interrupted) as cut,
        replies.expect(say.StateChanged) as first,
        replies.expect(say.StateChanged) as second,
    ):
        replies.received(CHANGED)
        assert (cut.done(), first.done(), second.done()) == (False, True, False)
        replies.received(INTERRUPTED)
        assert await cut == INTERRUPTED
        assert await first == CHANGED


async def test_an_error_answers_the_oldest_request() -> None:
    replies = Replies()
    with replies.expect(say.Interrupted) as first, replies.expect(say.StateChanged) as second:
        replies.received(error())
        with pytest.raises(ServerError, match="INVALID_MESSAGE: No") as raised:
            await first
        assert raised.value.details == {"path": "x"}
        assert not second.done()


@pytest.mark.parametrize("code", [ErrorCode.RATE_LIMIT_EXCEEDED, ErrorCode.SERVICE_NOT_READY, ErrorCode.UNAUTHORIZED])
async def test_errors_of_the_connection_and_of_too_much_speech_answer_nobody(code: ErrorCode) -> None:
    replies = Replies()
    with replies.expect(say.Interrupted) as waiting:
        replies.received(error(code))
        assert not waiting.done()


async def test_what_nobody_waits_for_is_well() -> None:
    replies = Replies()
    for message in (error(), CHANGED, say.Ping()):
        replies.received(message)


async def test_who_gave_up_does_not_take_the_reply_of_the_next() -> None:
    replies = Replies()
    with pytest.raises(TimeoutError), replies.expect(say.StateChanged) as late:
        await asyncio.wait_for(late, 0.001)
    with replies.expect(say.StateChanged) as next_one:
        replies.received(CHANGED)
        assert next_one.done()


async def test_the_end_fails_all_who_wait() -> None:
    replies = Replies()
    with replies.expect(say.Interrupted) as first, replies.expect(say.StateChanged) as second:
        replies.end(NotConnected("Over."))
        for future in (first, second):
            with pytest.raises(NotConnected):
                await future
