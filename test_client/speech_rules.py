"""The rules of speech in the stream: utterances, their sound positions, interrupts. A pure state machine.

Owns one conversation's utterances. `stream_rules.StreamRules` feeds it; no clock, no socket, no service.
"""

from collections import deque
from collections.abc import Callable

from protocol.timing import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE_HZ
from test_client.events import AudioEvent, VideoEvent

# without SPEAK_END an utterance ends when its queue was dry for 350 ms; the rest is slack for its look-ahead
_MAX_FRAMES_TO_SPEAK_ENDED = 12
# the answer comes within 3 frames of the server's having read the request; one more may be on the wire
_MAX_FRAMES_TO_INTERRUPTED = 4


class SpeechRules:
    """Checks that each utterance starts once, advances by 40 ms a frame, and ends once."""

    def __init__(self, violate: Callable[[str], None], audio_out: bool) -> None:
        self._violate = violate
        self._audio_out = audio_out
        self._open: str | None = None  # the utterance between its SPEAK_STARTED and its SPEAK_ENDED
        self._generated = 0  # its generated frames so far
        self._awaits_started = False  # its first frame came; SPEAK_STARTED may follow before the next frame
        self._frames_since_generated = 0
        self._seen_ids: set[str] = set()
        self._expected_samples: dict[str, int] = {}
        self._unnamed_samples: deque[int] = deque()
        self._sound: AudioEvent | None = None  # an AUDIO_FRAME that waits for its picture
        self._interrupts_sent = 0
        self._begins_anew = False
        self._unexplained: str | None = None  # an interrupted end that only a goodbye right after it explains
        self._cut = 0  # generated frames of the utterance that an interrupt just ended
        self._frames_since_interrupt = 0
        self.generated_frames: list[int] = []  # of each ended utterance

    def speech_sent(self, samples: int, sample_rate_hz: int, utterance_id: str | None) -> None:
        """Tells that an utterance was sent whole: its generated frames must be ceil(its 16 kHz samples / 640)."""
        samples_16k = round(samples * SAMPLE_RATE_HZ / sample_rate_hz)
        if utterance_id is None:
            self._unnamed_samples.append(samples_16k)
        else:
            self._expected_samples[utterance_id] = samples_16k

    def interrupt_sent(self) -> None:
        """Tells that INTERRUPT was sent; speech sent before it need not be played."""
        self._interrupts_sent += 1
        self._frames_since_interrupt = 0

    def init_sent(self) -> None:
        """Tells that INIT was sent, which begins anew: speech sent before it need not be played."""
        self._begins_anew = True
        self._expected_samples.clear()
        self._unnamed_samples.clear()

    def init_answered(self) -> None:
        """Takes INIT_SUCCESS."""
        self._begins_anew = False

    def video(self, event: VideoEvent) -> None:
        """Takes a picture's message."""
        self._explain_nothing()
        if self._awaits_started:
            self._violate(f"A generated frame came without SPEAK_STARTED before {event.timestamp_ms} ms.")
            self._awaits_started = False
        if self._interrupts_sent:
            self._frames_since_interrupt += 1
            if self._frames_since_interrupt == _MAX_FRAMES_TO_INTERRUPTED + 1:
                self._violate(f"INTERRUPT had no INTERRUPTED {_MAX_FRAMES_TO_INTERRUPTED} frames later.")
        self._check_sound(event)
        if not event.generated:
            self._quiet_frame(event)
            return
        self._frames_since_generated = 0
        if self._open is None:
            self._awaits_started = True
            self._generated = 0
        if event.audio_ms != self._generated * FRAME_MS:
            self._violate(
                f"The generated frame at {event.timestamp_ms} ms shows audio_ms {event.audio_ms}, "
                f"{self._generated * FRAME_MS} was due."
            )
        self._generated += 1

    def sound(self, event: AudioEvent) -> None:
        """Takes an AUDIO_FRAME."""
        if not self._audio_out:
            self._violate(f"AUDIO_FRAME came at {event.timestamp_ms} ms though audio_out was not asked for.")
            return
        if self._sound is not None:
            self._violate(f"Two AUDIO_FRAMEs came in a row, the second at {event.timestamp_ms} ms.")
        if len(event.pcm) != 2 * FRAME_SAMPLES:
            self._violate(f"The AUDIO_FRAME at {event.timestamp_ms} ms has {len(event.pcm)} bytes, not 1280.")
        self._sound = event

    def started(self, utterance_id: str) -> None:
        """Takes SPEAK_STARTED."""
        if self._open is not None:
            self._violate(f"SPEAK_STARTED of {utterance_id} came while {self._open} was not ended.")
        if utterance_id in self._seen_ids:
            self._violate(f"SPEAK_STARTED of {utterance_id} came twice.")
        self._seen_ids.add(utterance_id)
        self._open = utterance_id
        self._frames_since_generated = 0
        if not self._awaits_started:
            self._generated = 0
        self._awaits_started = False

    def ended(self, utterance_id: str, position_ms: int, interrupted: bool) -> None:
        """Takes SPEAK_ENDED."""
        if self._open is None:
            self._violate(f"SPEAK_ENDED of {utterance_id} came without SPEAK_STARTED.")
            return
        if self._open != utterance_id:
            self._violate(f"SPEAK_ENDED of {utterance_id} came while {self._open} was speaking.")
        if interrupted and not self._interrupts_sent and not self._begins_anew:
            self._unexplained = f"SPEAK_ENDED of {utterance_id} says interrupted, though no INTERRUPT was sent."
        # the last frame may hold less than 40 ms of speech and be counted by it
        if not (self._generated - 1) * FRAME_MS < position_ms <= self._generated * FRAME_MS:
            self._violate(
                f"SPEAK_ENDED of {utterance_id} says {position_ms} ms after {self._generated} generated frames."
            )
        self._check_count(utterance_id, interrupted)
        self._cut = self._generated if interrupted else 0
        self.generated_frames.append(self._generated)
        self._open = None

    def interrupted(self, position_ms: int) -> None:
        """Takes INTERRUPTED."""
        if not self._interrupts_sent:
            self._violate("INTERRUPTED came without an INTERRUPT.")
            return
        self._interrupts_sent -= 1
        self._frames_since_interrupt = 0
        if self._open is not None:
            self._violate(f"INTERRUPTED came before SPEAK_ENDED of {self._open}.")
        if not self._cut * FRAME_MS - FRAME_MS < position_ms <= self._cut * FRAME_MS:
            self._violate(f"INTERRUPTED says {position_ms} ms after {self._cut} generated frames.")
        self._cut = 0
        self._expected_samples.clear()
        self._unnamed_samples.clear()

    def closed(self, *, by_server: bool) -> None:
        """Takes CLOSE_ACK, which cuts speech; `by_server`: it was not asked for, so whatever is left open may be."""
        self._unexplained = None
        if by_server:
            self._open, self._awaits_started = None, False
            self._expected_samples.clear()
            self._unnamed_samples.clear()

    def finish(self) -> None:
        """Checks what must not be left open at the end."""
        self._explain_nothing()
        if self._awaits_started:
            self._violate("The last generated frame had no SPEAK_STARTED.")
        if self._open is not None:
            self._violate(f"SPEAK_ENDED of {self._open} never came.")
        for utterance_id in self._expected_samples.keys() - self._seen_ids:
            self._violate(f"Utterance {utterance_id} was sent whole and never played.")
        if self._unnamed_samples:
            self._violate(f"{len(self._unnamed_samples)} utterance(s) were sent whole and never played.")

    def _explain_nothing(self) -> None:
        if self._unexplained is not None:
            self._violate(self._unexplained)
            self._unexplained = None

    def _quiet_frame(self, event: VideoEvent) -> None:
        if self._open is None or self._generated * FRAME_SAMPLES < self._expected_samples.get(self._open, 0):
            return  # idle, or an engine that is late: speech is known to be left
        self._frames_since_generated += 1
        if self._frames_since_generated == _MAX_FRAMES_TO_SPEAK_ENDED + 1:
            self._violate(
                f"SPEAK_ENDED of {self._open} was due {_MAX_FRAMES_TO_SPEAK_ENDED} frames after its last generated "
                f"frame, before {event.timestamp_ms} ms."
            )

    def _check_sound(self, event: VideoEvent) -> None:
        sound, self._sound = self._sound, None
        if not self._audio_out:
            return
        if event.generated and sound is None:
            self._violate(f"The generated frame at {event.timestamp_ms} ms had no AUDIO_FRAME before it.")
        elif not event.generated and sound is not None:
            self._violate(f"An AUDIO_FRAME came before the frame at {event.timestamp_ms} ms, which is not generated.")
        elif sound is not None and (sound.audio_ms, sound.timestamp_ms) != (event.audio_ms, event.timestamp_ms):
            self._violate(f"The AUDIO_FRAME before the frame at {event.timestamp_ms} ms belongs to another frame.")

    def _check_count(self, utterance_id: str, interrupted: bool) -> None:
        samples = self._expected_samples.pop(utterance_id, None)
        if samples is None and self._unnamed_samples:
            samples = self._unnamed_samples.popleft()
        if samples is None or interrupted:
            return
        due = -(-samples // FRAME_SAMPLES)
        if self._generated != due:
            self._violate(
                f"Utterance {utterance_id} of {samples} samples gave {self._generated} generated frames, not {due}."
            )
