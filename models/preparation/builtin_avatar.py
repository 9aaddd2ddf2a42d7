"""The avatar that comes with the project, so that the service has a face at its first start.

Owns where its drawing lies; made by the same steps as every photo.
"""

from pathlib import Path

from models.preparation.contours import read_contours
from models.preparation.drawn_videos import Progress
from models.preparation.photo import read_photo
from models.preparation.prepare_photo import prepare_picture
from models.prepared_avatar import PreparedAvatar

BUILTIN_NAME = "default"

_FOLDER = Path(__file__).parent / "builtin"
# As in builtin/draw_portrait.py: the part of the picture that a blink changes, and how closed the eyes are.
_LEFT, _TOP, _RIGHT, _BOTTOM = 340, 336, 706, 480
_CLOSURES = (0.15, 0.4, 0.75, 1.0)


def builtin_avatar(folder: Path, *, replace: bool = False, progress: Progress | None = None) -> PreparedAvatar:
    """Make the built-in avatar in `folder` (its own folder, for example AVATARS_DIR/default).

    Raises `AvatarError` when the folder cannot be written or, unless `replace`, is there already.
    """
    portrait = read_photo(_FOLDER / "portrait.png")
    eyes = read_photo(_FOLDER / "portrait_eyes.png")
    closed = {}
    for row, closure in enumerate(_CLOSURES):
        picture = portrait.copy()
        height = _BOTTOM - _TOP
        picture[_TOP:_BOTTOM, _LEFT:_RIGHT] = eyes[row * height : (row + 1) * height]
        closed[closure] = picture
    curves = read_contours(_FOLDER / "portrait_contours.json")
    return prepare_picture(
        portrait, "the built-in portrait", BUILTIN_NAME, folder, curves, closed, replace=replace, progress=progress
    )
