"""espeak-ng through ctypes: speech with the exact sample at which each phone starts.

Owns the C interface. espeak-ng is GPL-3: a tool of the training, never imported by the service. `--pho` prints nothing
for its own voices, hence the callback.
"""

import ctypes
import random
from collections.abc import Iterator

import espeakng_loader
import numpy as np
from scipy.signal import resample_poly

from models.light.training.phones import Segment, classes_of_ipa, split_evenly
from models.light.training.sentences import Sentences
from models.light.training.utterance import Utterance

# English most often, then languages that bring other vowels and rhythms
_LANGUAGES = ["en-us"] * 5 + [
    "en-gb",
    "en-gb",
    "en-gb-x-rp",
    "en-gb-scotland",
    "de",
    "fr-fr",
    "es",
    "it",
    "pt",
    "nl",
    "sv",
    "pl",
]
_UNSEEN_LANGUAGES = ["en-gb-x-gbcwmd", "ro"]
_VARIANTS = (
    "f1 f2 f3 f4 f5 m1 m2 m3 m4 m5 m6 m7 m8 klatt klatt2 klatt3 klatt4 croak whisper Annie anika Alex Andrea Lee Mike "
    "Michael Mr_serious Jacky Denis Diogo Storm steph steph2 steph3 max linda belinda aunty antonio grandma grandpa "
    "john kaukovalta norbert pablo paul pedro quincy rob robert sandro shelby travis victor zac boris benjamin caleb "
    "david ed edward edward2 fast gene gene2 henrique hugo iven jacob lucas marcelo marco michel rick RicishayMax"
)
UNSEEN_VARIANTS = ("f4", "m6", "klatt3", "Annie", "Michael", "shelby", "paul", "linda", "rob", "f2")

_EVENT_PHONEME = 7
_EVENTS_END = (5, 6)
_INITIALIZE_PHONEME_EVENTS_IPA_DONT_EXIT = 0x0001 | 0x0002 | 0x8000
_PARAMETER_RATE, _PARAMETER_PITCH, _PARAMETER_RANGE = 1, 3, 4


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _EventId),
    ]  # fmt: skip


_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Espeak:
    """One synthesiser; the C library is a singleton, so make one per process."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data_path = espeakng_loader.get_data_path().encode()
        self._rate_hz = self._library.espeak_Initialize(2, 0, data_path, _INITIALIZE_PHONEME_EVENTS_IPA_DONT_EXIT)
        if self._rate_hz <= 0:
            raise RuntimeError("espeak-ng does not start")
        self._callback = _SynthCallback(self._collect)  # kept: the library holds a bare pointer to it
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
            ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        self._chunks: list[np.ndarray] = []
        self._events: list[tuple[int, str]] = []

    def _collect(self, wave, samples: int, events) -> int:
        if wave and samples > 0:
            self._chunks.append(np.ctypeslib.as_array(wave, (samples,)).copy())
        index = 0
        while events[index].type != 0:
            event = events[index]
            if event.type == _EVENT_PHONEME:
                self._events.append((event.sample, bytes(event.id.string).decode("utf-8", "ignore")))
            elif event.type in _EVENTS_END:
                self._events.append((event.sample, ""))
            index += 1
        return 0

    def speak(
        self, text: str, voice: str, words_per_minute: int = 170, pitch: int = 50, pitch_range: int = 50
    ) -> Utterance:
        """Say `text`. Raises ValueError when the voice (`language+variant`) does not load."""
        self._chunks, self._events = [], []
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(voice)
        settings = ((_PARAMETER_RATE, words_per_minute), (_PARAMETER_PITCH, pitch), (_PARAMETER_RANGE, pitch_range))
        for parameter, value in settings:
            self._library.espeak_SetParameter(parameter, value, 0)
        encoded = text.encode() + b"\0"
        self._library.espeak_Synth(encoded, len(encoded), 0, 1, 0, 1, None, None)  # 1: characters, 1: UTF-8
        self._library.espeak_Synchronize()
        wave = np.concatenate(self._chunks or [np.zeros(0, np.int16)]).astype(np.float32) / 32768
        segments = self._segments(len(wave) / self._rate_hz)
        if self._rate_hz != 22_050:
            raise RuntimeError(f"espeak-ng speaks at {self._rate_hz} Hz")
        resampled = resample_poly(wave, 320, 441).astype(np.float32) if len(wave) else wave
        return Utterance(f"espeak/{voice}", resampled, segments, text)

    def _segments(self, duration_s: float) -> list[Segment]:
        events = [(sample / self._rate_hz, name) for sample, name in self._events]
        segments: list[Segment] = []
        if events and events[0][0] > 0:
            segments.append(Segment(0.0, events[0][0], "sil"))
        for (start_s, name), (end_s, _) in zip(events, [*events[1:], (duration_s, "")], strict=True):
            if end_s - start_s < 1e-4:
                continue
            classes = classes_of_ipa(name) or ((segments[-1].phone_class,) if segments else ("sil",))
            segments += split_evenly(start_s, end_s, classes)
        return segments


def espeak_utterances(minutes: float, seed: int, unseen: bool = False) -> Iterator[Utterance]:
    """Random sentences by random voices until `minutes` are full; `unseen` takes variants that training never has."""
    pick, sentences, espeak = random.Random(seed), Sentences(seed), Espeak()
    variants = list(UNSEEN_VARIANTS) if unseen else [v for v in _VARIANTS.split() if v not in UNSEEN_VARIANTS]
    languages = _LANGUAGES + _UNSEEN_LANGUAGES if unseen else _LANGUAGES
    spoken_s = 0.0
    while spoken_s < 60 * minutes:
        voice = f"{pick.choice(languages)}+{pick.choice(variants)}"
        rate, pitch, pitch_range = pick.randint(120, 215), pick.randint(15, 85), pick.randint(20, 80)
        try:
            utterance = espeak.speak(sentences.english(), voice, rate, pitch, pitch_range)
        except ValueError:
            continue  # a few variants are missing from the bundled data
        if len(utterance.samples) > 8000 and utterance.segments:
            spoken_s += utterance.duration_s
            yield utterance
