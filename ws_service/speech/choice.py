"""Which voice this service has: the server of SPEECH_API_URL, else espeak-ng where it is installed, else none."""

from ws_service.errors import StartError
from ws_service.speech.espeak import HOW_TO_GET_ONE, EspeakSynthesizer
from ws_service.speech.openai_speech import OpenAiSynthesizer
from ws_service.speech.synthesizer import NoSynthesizer, Synthesizer


def choose_synthesizer(
    *, api_url: str, api_key: str, api_model: str, api_sample_rate_hz: int, api_timeout_s: float, default_voice: str
) -> Synthesizer:
    """Nothing is loaded or connected to before the first text. Raises `StartError` when a package is missing."""
    if api_url:
        try:
            return OpenAiSynthesizer(api_url, api_key, api_model, default_voice, api_sample_rate_hz, api_timeout_s)
        except ImportError as missing:
            what = missing.name or str(missing)  # str: httpx's own words of what a SOCKS proxy needs
            raise StartError(f"SPEECH_API_URL needs {what}: pip install 'musetalk-stream[voice]'") from None
        except ValueError as wrong:
            raise StartError(f"SPEECH_API_KEY: {wrong}") from None
    try:
        import espeakng_loader
    except ImportError:
        return NoSynthesizer(HOW_TO_GET_ONE)
    try:
        data_path = espeakng_loader.get_data_path()
    except RuntimeError as error:
        return NoSynthesizer(f"espeak-ng's data are missing ({error}); install the extra `voice` again")
    return EspeakSynthesizer(espeakng_loader.get_library_path(), data_path, default_voice)
