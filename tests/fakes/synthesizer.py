"""A voice whose every sentence lasts as long as the test says, and comes as late."""

import asyncio
from collections.abc import AsyncGenerator

from ws_service.errors import ServiceError, VoiceNotFound
from ws_service.speech.synthesizer import VoiceDescription, VoiceList


class FakeSynthesizer:
    """`sentence_s`: seconds of sound of each; `delay_s`: before it comes; `fail_at`: raised at a sentence's number."""

    name = "fake"
    sample_rate_hz = 16_000

    def __init__(self, sentence_s: float = 1.0, delay_s: float = 0.0) -> None:
        self.sentence_s = sentence_s
        self.delay_s = delay_s
        self.fail_at: dict[int, ServiceError | Exception] = {}
        self.spoken: list[str] = []
        self.stopped = 0

    async def voices(self) -> VoiceList:
        return VoiceList("anna", (VoiceDescription("anna"),))

    async def check(self, voice: str | None) -> str:
        if voice not in (None, "anna"):
            raise VoiceNotFound(f"There is no voice {voice!r}")
        return "anna"

    async def speak(self, sentence: str, voice: str) -> AsyncGenerator[bytes, None]:
        number = len(self.spoken)
        self.spoken.append(sentence)
        try:
            await asyncio.sleep(self.delay_s)
            half = b"\x01\x00" * int(self.sentence_s * 8_000)
            yield half
            if number in self.fail_at:
                raise self.fail_at[number]
            yield half
        except (asyncio.CancelledError, GeneratorExit):
            self.stopped += 1
            raise

    async def close(self) -> None:
        pass
