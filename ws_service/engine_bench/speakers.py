"""How many speakers the real service carries at strict 25 fps, and how they fare: real process, real sockets.

Owns the runs; `speaker_search` chooses the numbers, `lateness` judges what came.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from test_client.audio_file import Speech
from test_client.load import LoadPlan, LoadResult, run_load
from test_client.synthetic_speech import make_speech
from ws_service.engine_bench.child_service import ChildService
from ws_service.engine_bench.figures import SpeakingFigures, TestedNumber
from ws_service.engine_bench.lateness import lateness, strict_problem
from ws_service.engine_bench.speaker_search import SpeakerSearch

_RAMP_S = 20.0  # the load generator lets users come one after the other and settle for no longer than this
_SHORT_SPEECH_S = 1.0
_SPEECH_S = 6.0
_FIRST_GUESS = 4


@dataclass(frozen=True, slots=True)
class LoadTimes:
    """How long the runs are. `long_s`: of the last one, with the full decoder; 0: none."""

    test_s: float = 10.0
    one_s: float = 40.0
    full_s: float = 30.0
    long_s: float = 0.0
    most_speakers: int = 128


def try_speakers(service: ChildService, times: LoadTimes, full_rate: int | None) -> Iterator[TestedNumber]:
    """Users who speak without a pause: more and more of them, until not all get 25 generated pictures a second in time.

    `full_rate`: how many the service lets have every frame; beyond it strictness ends by its own decision.
    """
    speech = make_speech(times.test_s + _RAMP_S)
    limit = times.most_speakers if full_rate is None else min(full_rate, times.most_speakers)
    search = SpeakerSearch(_FIRST_GUESS if full_rate is None else limit, limit)
    while (speakers := search.next) is not None:
        result = run_load(LoadPlan(service.websocket, 0, speakers, times.test_s, speech))
        problem = strict_problem(result.records, result.from_s, result.until_s)
        search.tell(speakers, problem is None)
        yield TestedNumber(speakers, problem)
    if full_rate is not None and search.passed == full_rate:
        yield TestedNumber(full_rate + 1, "not run: the service makes every second frame from here on")


def one_speaker(service: ChildService, times: LoadTimes) -> SpeakingFigures:
    """One user with many short utterances: how fast speech begins."""
    return _conversation(service, 1, times.one_s, make_speech(_SHORT_SPEECH_S))


def many_speakers(service: ChildService, speakers: int, seconds: float) -> SpeakingFigures:
    """Users who speak for six seconds, pause for one, and so on."""
    return _conversation(service, speakers, seconds, make_speech(_SPEECH_S))


def _conversation(service: ChildService, speakers: int, seconds: float, speech: Speech) -> SpeakingFigures:
    before = service.figures()
    result = run_load(LoadPlan(service.websocket, 0, speakers, seconds, speech))
    after = service.figures()
    return _figures(result, speakers, _risen(before, after))


def _figures(result: LoadResult, speakers: int, counts: dict[str, int]) -> SpeakingFigures:
    seen = lateness(result.records, result.from_s, result.until_s)
    speaking, figures = result.figures.speaking, result.figures
    failures = "; ".join(f"{number} x {reason}" for reason, number in figures.failures.items())
    return SpeakingFigures(
        speakers=speakers,
        seconds=figures.seconds,
        starts=speaking.speaking_start.count,
        start_p50_ms=speaking.speaking_start.p50_ms,
        start_p95_ms=speaking.speaking_start.p95_ms,
        late_ms=seen.picture_ms,
        slip_frames=seen.slip_frames,
        generated_frames=speaking.generated_frames,
        service_counts=counts,
        client_cpu_share=figures.client_cpu_share,
        problem=failures or seen.problem,
    )


def _risen(before: dict[str, Any], after: dict[str, Any]) -> dict[str, int]:
    """By how much each of the service's counters went up."""
    return {
        name: value - before.get(name, 0)
        for name, value in after.items()
        if name.startswith("frames_") and isinstance(value, int)
    }
