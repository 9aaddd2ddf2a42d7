"""Writes the videos that are drawn from one still picture, and what every preparation has in common.

Owns the progress that is told, the check of names, and those videos on their way into an avatar's folder.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.errors import PreparationError
from models.light.mouth_material import build_material
from models.preparation.report import AvatarReport
from models.preparation.still import Shot, Still
from models.prepared_avatar import AvatarWriter

# what is being done, in words; the share of the whole that is done, 0..1; at least once for each second of work
Progress = Callable[[str, float], None]

REPORT_NAME = "report.html"

_DRAWN_BETWEEN_REPORTS = 1
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # as clients can name it


def write_drawn(
    writer: AvatarWriter,
    still: Still,
    videos: Mapping[str, Sequence[Shot]],
    page: AvatarReport,
    report: Progress,
    done: float,
) -> dict[str, NDArray[np.generic]]:
    """Draw the videos of a still picture; `done`: of the whole, before. Returns the first one's mouth material."""
    total, drawn = sum(len(shots) for shots in videos.values()), 0
    material: dict[str, NDArray[np.generic]] = {}
    for name, shots in videos.items():
        video = writer.new_video(name, len(shots))
        for index, (picture, landmarks) in enumerate(still.draw_all(shots)):
            video.pictures[index], video.landmarks[index] = picture, landmarks
            drawn += 1
            if drawn % _DRAWN_BETWEEN_REPORTS == 0:
                report(f"drawing {name}", done + (0.95 - done) * drawn / total)
        # every picture shows the same mouth: one is enough
        material = material or build_material(video.pictures[:1], video.landmarks[:1])
        page.add_sheet(name, video.pictures)
    return material


def check_name(name: str) -> None:
    """Raises `PreparationError` for a name that clients could not say."""
    if not _NAME.fullmatch(name):
        raise PreparationError(f"{name!r}: a name is 1 to 64 letters, digits, '-' or '_'.")


def silent(_: str, __: float) -> None:
    """A `Progress` for when nobody wants to hear about it."""
