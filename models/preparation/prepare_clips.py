"""Makes an avatar on disk from video: one clip, a clip for each base video, or one long recording that is cut up.

Owns the order of the steps, from files to a published folder; each step is a module of its own.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from models.errors import PreparationError
from models.light.mouth_material import build_material
from models.preparation.clip import LoopTarget, SteadyClip, fill_loops
from models.preparation.clip_report import clip_report
from models.preparation.drawn_videos import REPORT_NAME, Progress, check_name, silent, write_drawn
from models.preparation.face_warnings import face_warnings, lip_gaps
from models.preparation.head_warp import Pose
from models.preparation.loop_plan import SECOND, LoopFrame, plan_loop
from models.preparation.recording import cut_recording
from models.preparation.report import AvatarReport
from models.preparation.steadying import Steadying
from models.preparation.still import Still, action_shots
from models.preparation.survey import Thumbnail, survey_clip
from models.prepared_avatar import AvatarWriter, BaseVideo, PreparedAvatar, load_avatar

MAX_SECONDS = 10  # of a clip
MAX_RECORDING_SECONDS = 600

_ACTION_NAME = re.compile(r"action_[1-9][0-9]{0,2}")  # from 1, as clients ask for them by number
_BASE_NAME = re.compile(rf"(idle|speaking)_[0-9]{{1,3}}|{_ACTION_NAME.pattern}")
_SURVEY_SHARE, _FILL_SHARE = 0.5, 0.25  # of the work


def prepare_video(
    clip: Path,
    name: str,
    folder: Path,
    *,
    steadying: Steadying | None = None,
    replace: bool = False,
    progress: Progress | None = None,
    thumbnail: Thumbnail | None = None,
) -> PreparedAvatar:
    """Make the avatar `name` in `folder` (its own folder, which appears when it is whole) from one video clip.

    At most the first `MAX_SECONDS` are used. Both loops show the clip; the actions move its first frame.
    `thumbnail` is shown the face once for each second that was looked through.
    Raises `PreparationError` naming the file and the frame, `AvatarError` when the folder cannot be written.
    """
    return prepare_clips(
        {"idle_0": clip},
        name,
        folder,
        steadying=steadying,
        replace=replace,
        progress=progress,
        thumbnail=thumbnail,
    )


def prepare_clips(
    clips: Mapping[str, Path],
    name: str,
    folder: Path,
    *,
    steadying: Steadying | None = None,
    replace: bool = False,
    progress: Progress | None = None,
    thumbnail: Thumbnail | None = None,
) -> PreparedAvatar:
    """`prepare_video` with a clip for each base video, by name: `idle_0` at least, `idle_n`, `speaking_n`, `action_n`.

    Loops close by themselves; an action plays its clip once, whole seconds of it. Without a `speaking_0` the idle
    video speaks; without an action they are drawn.
    """
    check_name(name)
    if unfit := [base for base in clips if not _BASE_NAME.fullmatch(base)]:
        raise PreparationError(
            f"{unfit[0]!r}: a base video is idle_0, idle_1, speaking_0, action_1 and so on; actions count from 1."
        )
    if "idle_0" not in clips:
        raise PreparationError("idle_0 is missing: what is shown while nobody speaks.")
    with _Maker(name, folder, steadying or Steadying(), replace, progress or silent, thumbnail) as maker:
        for number, (base, path) in enumerate(sorted(clips.items())):
            maker.begin(number / len(clips), 1 / len(clips))
            maker.add_clip(base, path)
        return maker.publish()


def prepare_recording(
    recording: Path,
    name: str,
    folder: Path,
    *,
    actions: Mapping[str, tuple[float, float]] | None = None,
    steadying: Steadying | None = None,
    replace: bool = False,
    progress: Progress | None = None,
    thumbnail: Thumbnail | None = None,
) -> PreparedAvatar:
    """`prepare_video` from one long recording in one take, cut by `recording.cut_recording`.

    `actions`: by name (`action_1`), from and to in seconds. At most `MAX_RECORDING_SECONDS` are looked through; frames
    without a usable face are passed over, but for the first.
    """
    check_name(name)
    if unfit := [base for base in actions or {} if not _ACTION_NAME.fullmatch(base)]:
        raise PreparationError(f"{unfit[0]!r}: marked times are named action_1, action_2 and so on.")
    with _Maker(name, folder, steadying or Steadying(), replace, progress or silent, thumbnail) as maker:
        maker.add_recording(recording, actions or {})
        return maker.publish()


class _Maker:
    """An avatar being made. Use as a context manager, as `AvatarWriter`."""

    def __init__(
        self,
        name: str,
        folder: Path,
        steadying: Steadying,
        replace: bool,
        progress: Progress,
        thumbnail: Thumbnail | None,
    ) -> None:
        self._name, self._folder, self._ways = name, folder, steadying
        self._progress, self._thumbnail = progress, thumbnail
        self._writer = AvatarWriter(folder, replace=replace)
        self._report = AvatarReport(name)
        self._videos: dict[str, BaseVideo] = {}
        self._still: Still | None = None  # of the first frame of idle_0
        self._from, self._share = 0.0, 0.8

    def __enter__(self) -> "_Maker":
        self._writer.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.__exit__(*error)  # type: ignore[arg-type] # passed on as they came

    def begin(self, done: float, share: float) -> None:
        """The next clip begins when this much of all clips is done, and is this share of them."""
        self._from, self._share = 0.8 * done, 0.8 * share

    def add_clip(self, base: str, path: Path) -> None:
        """One clip, one video."""
        clip = self._survey(path, MAX_SECONDS * SECOND, tolerant=False)
        if base.startswith("action"):
            frames = [LoopFrame(index) for index in range(len(clip.survey) // SECOND * SECOND)]
            if not frames:
                raise PreparationError(f"{path.name}: an action needs at least one second.")
        else:
            frames = plan_loop(clip.points(0, len(clip.survey)), path.name)
        self._fill(clip, {base: frames})

    def add_recording(self, path: Path, actions: Mapping[str, tuple[float, float]]) -> None:
        """One recording, all videos."""
        clip = self._survey(path, MAX_RECORDING_SECONDS * SECOND, tolerant=True)
        self._told("looking for quiet and speech", _SURVEY_SHARE, 0.0)(1.0)
        plans = cut_recording(lip_gaps(clip.survey.points), clip.points, set(clip.survey.unusable), actions, path.name)
        self._fill(clip, dict(sorted(plans.items(), key=lambda plan: plan[0] != "idle_0")))

    def publish(self) -> PreparedAvatar:
        """What is missing is drawn, then the avatar appears."""
        assert self._still is not None
        idle = self._videos["idle_0"]
        speaks = any(base.startswith("speaking") for base in self._videos)
        if not speaks:
            self._writer.same_video("speaking_0", idle)
        if not any(base.startswith("action") for base in self._videos):
            write_drawn(self._writer, self._still, action_shots(Pose()), self._report, self._progress, 0.8)
        material = build_material(idle.pictures, idle.landmarks)
        self._progress("saving", 0.95)
        self._writer.add_file(REPORT_NAME, self._report.html())
        loops = [base for base in self._videos if not base.startswith("action")]
        self._writer.publish(self._name, same_pose=loops == ["idle_0"], material=material)
        self._progress("done", 1.0)
        return load_avatar(self._folder)

    def _survey(self, path: Path, most: int, *, tolerant: bool) -> SteadyClip:
        report = self._told("looking for the face", 0.0, _SURVEY_SHARE)
        survey = survey_clip(path, most, report, self._thumbnail, scratch=self._writer.scratch, tolerant=tolerant)
        self._told("steadying the face", _SURVEY_SHARE, 0.0)(1.0)
        return SteadyClip(survey, self._ways)

    def _fill(self, clip: SteadyClip, plans: Mapping[str, Sequence[LoopFrame]]) -> None:
        targets = {}
        for base, frames in plans.items():
            video = self._videos[base] = self._writer.new_video(base, len(frames))
            targets[base] = LoopTarget(frames, video.pictures, video.landmarks)
        report = self._told("cutting the loop", _SURVEY_SHARE, _FILL_SHARE)
        first = fill_loops(clip, list(targets.values()), report)
        if "idle_0" in targets:
            shown = targets["idle_0"].frames[0].main
            self._still = Still(first, clip.points(shown, shown + 1)[0], clip.crop)
        warnings = face_warnings(clip.survey.points, clip.survey.looks)
        begin, share = _SURVEY_SHARE + _FILL_SHARE, (1 - _SURVEY_SHARE - _FILL_SHARE) / len(targets)
        for number, (base, target) in enumerate(targets.items()):
            title, told = (
                f"{base}, from {clip.survey.path.name}",
                self._told("looking again", begin + number * share, share),
            )
            self._report.clips.append(clip_report(title, clip, target, self._ways, () if number else warnings, told))
            self._report.add_sheet(base, target.pictures)

    def _told(self, what: str, begin: float, share: float) -> Callable[[float], None]:
        return lambda done: self._progress(what, self._from + self._share * (begin + share * min(done, 1.0)))
