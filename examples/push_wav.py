"""Pushes a sound file to an avatar and saves what it says: push_wav.py speech.wav out.mp4 [ws://127.0.0.1:8000]."""

import asyncio
import sys
from pathlib import Path

from test_client.audio_file import read_speech
from test_client.client import AvatarClient
from test_client.events import ControlEvent
from test_client.recording import Recording


async def main(sound: Path, film: Path, url: str = "ws://127.0.0.1:8000") -> None:
    """Sends all speech at once, keeps the pictures until it is spoken, saves them with their sound."""
    speech, recording = read_speech(sound), Recording()
    recording.speech_sent(speech)
    async with AvatarClient(url, "demo") as client:
        await client.speak(speech.pcm, realtime=False)
        await client.speak_end()
        async for event in client:
            recording.received(event)
            if isinstance(event, ControlEvent) and event.message.type == "SPEAK_ENDED":
                break
    recording.save(film)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(f"usage: {sys.argv[0]} speech.wav out.mp4 [ws://127.0.0.1:8000]")
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
