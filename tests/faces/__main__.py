"""Every kind of face prepared and made to speak: `python -m tests.faces FOLDER [PHOTO ...]`.

Writes `kinds.png` (all kinds, at rest and speaking), a contact sheet of mouths for each kind and a table of figures
into the folder; photos that are named are one more kind each. Takes about twenty seconds on one core.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from models.errors import PreparationError
from models.preparation.photo import read_photo
from tests.faces.kinds import REFUSED, USABLE
from tests.faces.spoken import judged, mouths, painted, prepared, variant_of
from tests.models.light.faces import AA, EH, FV, IY, OH, PBM, REST, UW, Face

_CELL_PX = 150
_PAGE_PX = 8 * _CELL_PX + 3 * 8 + 32  # four usable kinds in a line, twice as many refused ones
_SHEET = (REST, PBM, AA, EH, IY, UW, OH, FV)
_UTTERANCE = "recorded_carlo_italian"


def _close_up(face: Face, picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The face from the brows to the chin, (size, size, 3)."""
    x, y = face.geometry.origin
    width = face.geometry.face_width
    half, above, room = 0.62 * width, 0.72 * width, 200
    framed = cv2.copyMakeBorder(picture, room, room, room, room, cv2.BORDER_REPLICATE)
    left, top, side = int(x - half) + room, int(y - above) + room, int(2 * half)
    part = framed[top : top + side, left : left + side]
    return np.asarray(cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_CUBIC))


def _reduced(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    square = picture[: min(picture.shape[:2]), : min(picture.shape[:2])]
    return np.asarray(cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA))


def _contact_sheet(face: Face, path: Path) -> None:
    """Visemes above; below, an utterance's frames as the engine hears them."""
    heard = mouths(_UTTERANCE)
    shown = [heard[index] for index in np.linspace(10, len(heard) - 10, 2 * len(_SHEET)).astype(int)]
    cells = [_close_up(face, painted(face, mouth), 240) for mouth in (*_SHEET, *shown)]
    rows = [np.hstack(cells[start : start + len(_SHEET)]) for start in range(0, len(cells), len(_SHEET))]
    cv2.imwrite(str(path), np.vstack(rows))


def _overview(entries: list[tuple[str, list[NDArray[np.uint8]]]], path: Path) -> None:
    """Kinds side by side, line by line, each with its name under its pictures."""
    height, font, gap = _CELL_PX + 24, ImageFont.load_default(12), 8
    places, left, top = [], 0, 0
    for _, pictures in entries:
        width = len(pictures) * _CELL_PX
        if left + width > _PAGE_PX:
            left, top = 0, top + height
        places.append((left, top))
        left += width + gap
    page = Image.new("RGB", (_PAGE_PX, top + height), "white")
    draw = ImageDraw.Draw(page)
    for (title, pictures), (left, top) in zip(entries, places, strict=True):
        for column, picture in enumerate(pictures):
            page.paste(Image.fromarray(np.ascontiguousarray(picture[..., ::-1])), (left + column * _CELL_PX, top))
        draw.text((left + 2, top + _CELL_PX + 3), title, "black", font)
    page.quantize(256, kmeans=3).save(path, optimize=True)


def _main(folder: Path, photos: list[Path]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {name: variant_of(variant) for name, variant in USABLE.items()}
    pictures |= {photo.name: read_photo(photo) for photo in photos}
    pictures |= {name: variant_of(variant) for name, (variant, _) in REFUSED.items()}
    entries, table = [], []
    for name, picture in pictures.items():
        try:
            face = prepared(picture, name)
        except PreparationError as error:
            reason = str(error).removeprefix(f"{name}: ")
            table.append(f"{name:22}refused: {reason}")
            entries.append((f"{name}: no", [_reduced(picture, _CELL_PX)]))
            continue
        figures = judged(face, mouths(_UTTERANCE))
        table.append(
            f"{name:22}lips follow {figures.follow:.2f}, p b m {figures.closed:.3f}, open {figures.open:.3f}, "
            f"lips' colour {figures.colour:.1f}, beyond the region {figures.beyond}"
        )
        _contact_sheet(face, folder / f"{name.replace(' ', '_').replace(',', '')}.png")
        shown = [_close_up(face, painted(face, mouth), _CELL_PX) for mouth in (REST, AA)]
        entries.append((name, shown))
    _overview(entries, folder / "kinds.png")
    (folder / "table.txt").write_text("\n".join(table) + "\n")
    sys.stdout.write("\n".join(table) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    _main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
