"""An OpenAI-compatible speech server on the loopback: says what the test wrote, in the pieces that it chose."""

import asyncio
import json
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self


@dataclass
class Answer:
    """One answer: `pieces` as HTTP chunks; `silence_s` before each and `stall_s` behind them; cut off in mid-body when
    not `whole`; `location` is where a redirect leads.
    """

    pieces: list[bytes] = field(default_factory=list)
    status: int = 200
    content_type: str = "audio/pcm"
    silence_s: float = 0.0
    whole: bool = True
    stall_s: float = 0.0
    location: str = ""


class SpeechServer:
    """`async with SpeechServer([...]) as server:`; the last answer is given again and again."""

    def __init__(self, answers: list[Answer]) -> None:
        self._answers = answers
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.connections = 0

    @property
    def url(self) -> str:
        """The base URL, as settings have it."""
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:] if line)}
                self.paths.append(lines[0].split()[1])
                self.headers.append(headers)
                self.requests.append(json.loads(await reader.readexactly(int(headers["content-length"]))))
                answer = self._answers[min(len(self.requests), len(self._answers)) - 1]
                await self._answer(writer, answer)
                if not answer.whole:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, answer: Answer) -> None:
        head = f"HTTP/1.1 {answer.status} X\r\nContent-Type: {answer.content_type}\r\nTransfer-Encoding: chunked\r\n"
        if answer.location:
            head += f"Location: {answer.location}\r\n"
        writer.write(f"{head}\r\n".encode())
        for piece in answer.pieces:
            await asyncio.sleep(answer.silence_s)
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
        await asyncio.sleep(answer.stall_s)
        if answer.whole:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
