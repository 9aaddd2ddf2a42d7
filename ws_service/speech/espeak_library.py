"""espeak-ng through ctypes. Owns the library's global state: one instance in a process, used by one thread alone.

espeak-ng is GPL-3. It is no dependency of this package: the extra `voice` installs it (espeakng-loader brings the
library and its data), and this module loads it when the first text is to be spoken. Must not import asyncio.
"""

import ctypes
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

from ws_service.errors import NoVoice, VoiceFailed
from ws_service.speech.synthesizer import VoiceDescription

# names as in espeak-ng's speak_lib.h
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000  # without it, missing data end the process
_POS_CHARACTER = 1
_CHARS_UTF8 = 1
_EE_OK = 0
_MAX_DATA_PATH_BYTES = 120  # its buffer for the path of a file holds 160; a longer path is cut silently


class _VoiceStruct(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p), ("languages", ctypes.c_void_p), ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte), ("age", ctypes.c_ubyte), ("variant", ctypes.c_ubyte), ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int), ("spare", ctypes.c_void_p),
    ]  # fmt: skip


_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class EspeakLibrary:
    """The loaded library. Make one in a process; every call from the same thread."""

    def __init__(self, library_path: str, data_path: str) -> None:
        """Raises `NoVoice` when the library or its data cannot be used."""
        self._held = ExitStack()  # the short link to the data, for as long as the library may read them
        try:
            self._library = ctypes.CDLL(library_path)
        except OSError as error:
            raise NoVoice(f"espeak-ng cannot be loaded: {error}") from None
        self._declare()
        short = self._short_path(Path(data_path))
        rate_hz: int = self._library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, 0, str(short).encode(), _INITIALIZE_DONT_EXIT
        )
        if rate_hz <= 0:
            self._held.close()
            raise NoVoice(f"espeak-ng finds no data in {data_path}")
        self.sample_rate_hz = rate_hz
        self._pieces: list[bytes] = []
        self._callback = _SynthCallback(self._collect)  # kept: the library holds a bare pointer to it
        self._library.espeak_SetSynthCallback(self._callback)
        listed = {
            name: voice
            for voice in reversed(self._list(None))
            for name in [_first_language(voice.languages)]
            if _has_dictionary(Path(data_path), voice.identifier, name)
        }
        self._files = {name: voice.identifier or b"" for name, voice in listed.items()}  # en-gb lies in gmw/en
        self._descriptions = {name: (voice.name or b"").decode("utf-8", "replace") for name, voice in listed.items()}

    def voices(self) -> tuple[VoiceDescription, ...]:
        """One for each language, by name: `en-us`, `de`, ..."""
        return tuple(VoiceDescription(name, name, self._descriptions[name].strip()) for name in sorted(self._files))

    def variants(self) -> tuple[str, ...]:
        """What may follow a voice's name behind a plus: `f2` in `en-us+f2`."""
        asked = ctypes.create_string_buffer(b"variant")
        spec = _VoiceStruct(languages=ctypes.cast(asked, ctypes.c_void_p).value)
        names = (Path((voice.identifier or b"").decode("utf-8", "replace")).name for voice in self._list(spec))
        return tuple(sorted(set(names) - {""}))

    def speak(self, sentence: str, voice: str) -> bytes:
        """Mono s16le at `sample_rate_hz`; takes about a thousandth of the time it lasts. Raises `VoiceFailed`."""
        name, plus, variant = voice.partition("+")
        file = self._files.get(name)
        if file is None or self._library.espeak_SetVoiceByName(file + (plus + variant).encode()) != _EE_OK:
            raise VoiceFailed(f"espeak-ng cannot load its voice {voice!r}")
        self._pieces = []
        text = sentence.encode() + b"\0"
        status = self._library.espeak_Synth(text, len(text), 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None)
        if status != _EE_OK:
            raise VoiceFailed(f"espeak-ng failed with status {status}")
        pcm, self._pieces = b"".join(self._pieces), []
        return pcm

    def close(self) -> None:
        """Let go of the library's memory."""
        self._library.espeak_Terminate()
        self._held.close()

    def _declare(self) -> None:
        library = self._library
        library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        library.espeak_ListVoices.argtypes = [ctypes.POINTER(_VoiceStruct)]
        library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_VoiceStruct))
        library.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
            ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip

    def _short_path(self, data_path: Path) -> Path:
        if len(str(data_path).encode()) <= _MAX_DATA_PATH_BYTES:
            return data_path
        folder = self._held.enter_context(tempfile.TemporaryDirectory(prefix="voice"))
        link = Path(folder) / "espeak-ng-data"
        link.symlink_to(data_path, target_is_directory=True)
        return link

    def _list(self, spec: _VoiceStruct | None) -> list[_VoiceStruct]:
        listed = self._library.espeak_ListVoices(None if spec is None else ctypes.byref(spec))
        voices: list[_VoiceStruct] = []
        while listed[len(voices)]:
            voices.append(listed[len(voices)].contents)
        return voices

    def _collect(self, wave: "ctypes._Pointer[ctypes.c_short]", samples: int, _: int | None) -> int:
        if wave and samples > 0:
            self._pieces.append(ctypes.string_at(wave, 2 * samples))
        return 0  # 1 would stop the synthesis


def _first_language(languages: int | None) -> str:
    """`languages`: a byte of priority, a name, a zero byte; and so on, until the priority is zero."""
    return ctypes.string_at(languages + 1).decode("utf-8", "replace") if languages else ""


def _has_dictionary(data_path: Path, identifier: bytes | None, language: str) -> bool:
    """Some voices are listed without one, and end the process with a bus error after some sentences."""
    name = language.partition("-")[0]
    with suppress(OSError):
        for line in (data_path / "lang" / (identifier or b"").decode()).read_text("utf-8", "replace").splitlines():
            if line.startswith("dictionary "):
                name = line.split()[1]
    return (data_path / f"{name}_dict").is_file()
