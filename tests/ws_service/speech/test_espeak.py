"""The local voice, with the real library: what it says, which voices it has, and that it shares one thread."""

import asyncio
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from ws_service.errors import NoVoice, VoiceNotFound
from ws_service.speech.espeak import EspeakSynthesizer

espeakng_loader = pytest.importorskip("espeakng_loader")
LIBRARY, DATA = espeakng_loader.get_library_path(), espeakng_loader.get_data_path()


@pytest_asyncio.fixture
async def espeak() -> AsyncIterator[EspeakSynthesizer]:
    synthesizer = EspeakSynthesizer(LIBRARY, DATA)
    yield synthesizer
    await synthesizer.close()


async def pcm_of(espeak: EspeakSynthesizer, sentence: str, voice: str = "en-us") -> bytes:
    return b"".join([piece async for piece in espeak.speak(sentence, voice)])


async def test_a_sentence_is_heard_and_lasts_as_long_as_speech_does(espeak: EspeakSynthesizer) -> None:
    samples = np.frombuffer(await pcm_of(espeak, "Hello there, how are you today?"), "<i2")
    assert 1 < len(samples) / espeak.sample_rate_hz < 4
    assert np.abs(samples).max() > 3000


async def test_the_same_words_by_another_voice_are_another_sound(espeak: EspeakSynthesizer) -> None:
    english, german, again = [len(await pcm_of(espeak, "Guten Tag.", voice)) for voice in ("en-us", "de", "en-us")]
    assert abs(english - german) > 0.02 * english
    assert again == pytest.approx(english, rel=0.01), "no voice leaves anything behind for the next"


async def test_sentences_of_many_texts_at_once_are_what_each_is_alone(espeak: EspeakSynthesizer) -> None:
    sentences = ["word " * n for n in range(1, 9)]
    alone = [len(await pcm_of(espeak, sentence)) for sentence in sentences]
    together = await asyncio.gather(*(pcm_of(espeak, sentence) for sentence in sentences))
    assert [len(pcm) for pcm in together] == pytest.approx(alone, rel=0.01)  # espeak-ng's voices waver a little
    assert len([thread for thread in threading.enumerate() if thread.name.startswith("voice")]) == 1


async def test_voices_are_listed_by_the_names_that_are_taken(espeak: EspeakSynthesizer) -> None:
    listed = await espeak.voices()
    names = [voice.name for voice in listed.voices]
    assert {"en-us", "en-gb", "de", "fr-fr", "cmn"} <= set(names)
    assert names == sorted(set(names))
    assert listed.default == "en-us"
    assert "f2" in listed.remark
    for name in names:
        assert await espeak.check(name) == name
    assert await espeak.check(None) == "en-us"
    assert await espeak.check("de+f2") == "de+f2"


async def test_every_voice_that_is_listed_speaks(espeak: EspeakSynthesizer) -> None:
    for voice in (await espeak.voices()).voices:
        assert await pcm_of(espeak, "One.", voice.name), voice.name
    for voice in ("en-gb+f2", "fr-fr+m3"):
        assert await pcm_of(espeak, "One.", voice)


def test_a_voice_whose_dictionary_is_missing_is_not_offered(tmp_path: Path) -> None:
    data = Path(shutil.copytree(DATA, tmp_path / "espeak-ng-data"))
    (data / "de_dict").unlink()
    (data / "no_dict").unlink()  # of nb: its file names it
    program = (
        "import sys; from ws_service.speech.espeak_library import EspeakLibrary as E; e = E(*sys.argv[1:]);"
        "print(*(v.name for v in e.voices())); e.speak('Hello', 'de')"
    )
    said = subprocess.run([sys.executable, "-c", program, LIBRARY, str(data)], capture_output=True, text=True)
    assert {"en-us", "nl"} <= set(said.stdout.split())
    assert not {"de", "nb"} & set(said.stdout.split())
    assert "VoiceFailed" in said.stderr


async def test_nothing_is_taken_on_once_it_closes_and_what_is_being_said_is_finished() -> None:
    synthesizer = EspeakSynthesizer(LIBRARY, DATA)
    await synthesizer.check(None)
    said = asyncio.create_task(pcm_of(synthesizer, "word " * 50))
    await asyncio.sleep(0)
    closing = asyncio.create_task(synthesizer.close())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="shutdown"):
        await pcm_of(synthesizer, "Too late.")
    assert len(await said) > 100_000
    await closing


BREAKERS = r"""
import random, sys
from ws_service.speech.espeak_library import EspeakLibrary
from ws_service.speech.sentences import split_sentences
library, rng = EspeakLibrary(*sys.argv[1:]), random.Random(1)
names = [voice.name for voice in library.voices()]
pools = [
    "abc XYZ", "0123456789.,", "<speak>/&;='", "[[]]{}_:'@|", "\u05e9\u05dc\u0645\u0631\u202e",
    "\u5b57\u4f60\u2211\u20ac", "\U0001f469\u200d\U0001f467\U0001f3f3\ufe0f", "\ue000\uf8ff\u200b",
    "\u0915\u094d\u0937\u0bbf",
]
for _ in range(40):
    chars = "".join(rng.sample(pools, rng.choice([1, 2, len(pools)])))
    for sentence in split_sentences("".join(rng.choice(chars) for _ in range(rng.choice([1, 50, 300])))):
        library.speak(sentence, rng.choice(names))
"""


def test_texts_made_to_break_it_do_not_break_it() -> None:
    """In a process of its own, for what becomes of that."""
    said = subprocess.run([sys.executable, "-c", BREAKERS, LIBRARY, DATA], capture_output=True, text=True, timeout=60)
    assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize("name", ["nobody", "en-us+nobody", "en-us+", "+f2", "../en", "en-us+../../x", "en\0-us"])
async def test_a_voice_that_is_not_there_is_refused(espeak: EspeakSynthesizer, name: str) -> None:
    with pytest.raises(VoiceNotFound):
        await espeak.check(name)


@pytest.mark.parametrize(("name", "near"), [("fr", "fr-fr"), ("en_US", "en-us"), ("de-de", "de"), ("EN-US", "en-us")])
async def test_a_name_that_is_nearly_one_is_answered_with_those_near_it(
    espeak: EspeakSynthesizer, name: str, near: str
) -> None:
    with pytest.raises(VoiceNotFound, match=f"near it are .*{near}"):
        await espeak.check(name)


async def test_a_wrong_default_voice_is_told_as_such() -> None:
    synthesizer = EspeakSynthesizer(LIBRARY, DATA, "en-uss")
    with pytest.raises(VoiceNotFound, match=r"'en-uss' \(DEFAULT_VOICE\); near it are en-us"):
        await synthesizer.check(None)
    assert await synthesizer.check("de") == "de"
    await synthesizer.close()


def test_a_path_too_long_for_its_buffer_is_shortened(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120) / ("y" * 120)
    deep.mkdir(parents=True)
    (deep / "espeak-ng-data").symlink_to(DATA)
    # the library keeps the first path it was given: a process of its own
    program = (
        "import sys; from ws_service.speech.espeak_library import EspeakLibrary as E;"
        "print(len(E(*sys.argv[1:]).speak('Hello', 'en-us')))"
    )
    command = [sys.executable, "-c", program, LIBRARY, str(deep / "espeak-ng-data")]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert int(said.stdout) > 10_000


async def test_missing_data_are_no_end_of_the_process(tmp_path: Path) -> None:
    synthesizer = EspeakSynthesizer(LIBRARY, str(tmp_path))
    with pytest.raises(NoVoice, match=str(tmp_path)):
        await synthesizer.check(None)
    await synthesizer.close()
    other = EspeakSynthesizer(str(tmp_path / "nothing.so"), DATA)
    with pytest.raises(NoVoice, match="cannot be loaded"):
        await other.voices()
    await other.close()


def test_making_one_loads_nothing() -> None:
    program = (
        "import sys; from ws_service.speech.choice import choose_synthesizer as c;"
        "c(api_url='', api_key='', api_model='', api_sample_rate_hz=24000, api_timeout_s=1, default_voice='');"
        "print('libespeak' in open('/proc/self/maps').read())"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert said.stdout == "False\n"
