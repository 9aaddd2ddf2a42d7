"""An avatar's report: one HTML file that needs no other, with pictures, plots, figures and warnings.

Owns the page and its drawings. Must not import modules that read videos or write avatars.
"""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from models.preparation.steadying import Steadiness

_SHEET_PICTURES, _SHEET_SIZE = 12, 160
_WIDTH, _HEIGHT, _LEFT = 720, 150, 52  # of a plot
_BEFORE, _AFTER = "#c2410c", "#0f766e"
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:980px;margin:2rem auto;padding:0 1rem;color:#1c1917;
background:#fafaf9}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;margin:.8rem 0}
td,th{padding:.25rem .9rem .25rem 0;text-align:left;border-bottom:1px solid #e7e5e4}td.n{text-align:right}
.sheet{display:flex;flex-wrap:wrap;gap:4px}.sheet figure,.pair figure{margin:0}
figcaption{font-size:.8rem;color:#57534e}.pair{display:flex;gap:12px;flex-wrap:wrap}.warn{background:#fef3c7;
border-left:4px solid #d97706;padding:.4rem .8rem;margin:.4rem 0}.good{background:#ecfdf5;border-left:4px solid #0f766e;
padding:.4rem .8rem}svg{display:block;max-width:100%;height:auto;margin:.4rem 0}svg text{font:11px system-ui,sans-serif}
"""
_FIGURES = """<p>Shake: root mean square of what moves faster than half a second, in pixels of the 512x512 picture.
Spread: from the 5th to the 95th percentile. A landmarker looked at the recording and at the finished pictures.</p>
"""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """(N,) each: what was measured in the recording and in the finished pictures."""

    title: str
    before: NDArray[np.floating]
    after: NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class ClipReport:
    """One clip. `blend_before`, `blend_after`: the mean of the same second of frames, (512, 512, 3) BGR."""

    title: str
    done: str
    before: Steadiness
    after: Steadiness
    curves: Sequence[Curve]
    blend_before: NDArray[np.uint8]
    blend_after: NDArray[np.uint8]
    warnings: Sequence[str]


@dataclass(slots=True)
class AvatarReport:
    """`sheets`: by video, pictures (512, 512, 3) BGR. `warnings`: of a photo; a clip has its own."""

    name: str
    sheets: dict[str, list[NDArray[np.uint8]]] = field(default_factory=dict)
    clips: list[ClipReport] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def every_warning(self) -> list[str]:
        """Those of the photo and those of all clips, which name the clip."""
        return self.warnings + [f"{clip.title}: {text}" for clip in self.clips for text in clip.warnings]

    def add_sheet(self, video: str, pictures: NDArray[np.uint8]) -> None:
        """Choose pictures (N, 768, 512) I420 of a video, evenly spread."""
        chosen = np.linspace(0, len(pictures) - 1, min(_SHEET_PICTURES, len(pictures))).round().astype(int)
        shown = []
        for index in chosen:
            picture = cv2.cvtColor(np.ascontiguousarray(pictures[index]), cv2.COLOR_YUV2BGR_I420)
            shown.append(
                np.asarray(cv2.resize(picture, (_SHEET_SIZE, _SHEET_SIZE), interpolation=cv2.INTER_AREA), np.uint8)
            )
        self.sheets[video] = shown

    def html(self) -> str:
        """The whole page."""
        name = html.escape(self.name)
        warnings = "".join(f'<p class="warn">{html.escape(text)}</p>' for text in self.every_warning)
        parts = [
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}: report</title>',
            f"<style>{_STYLE}</style>",
            f"<h1>{name}</h1>",
            warnings or '<p class="good">Nothing to warn of.</p>',
            _FIGURES if self.clips else "",
            *(_clip(clip) for clip in self.clips),
            "<h2>Contact sheet</h2>",
            *(_sheet(video, pictures) for video, pictures in self.sheets.items()),
            "</html>",
        ]
        return "\n".join(parts)


def _clip(clip: ClipReport) -> str:
    rows = (
        ("Shake of the face, px", f"{clip.before.jitter_px:.2f}", f"{clip.after.jitter_px:.2f}"),
        ("Spread of its size", f"{clip.before.scale_spread:.1%}", f"{clip.after.scale_spread:.1%}"),
    )
    body = "".join(f'<tr><td>{name}</td><td class="n">{a}</td><td class="n">{b}</td></tr>' for name, a, b in rows)
    return f"""<h2>{html.escape(clip.title)}</h2>
<p>{html.escape(clip.done)}</p>
<table><tr><th></th><th>recorded</th><th>finished</th></tr>{body}</table>
{"".join(_plot(curve) for curve in clip.curves)}
<div class="pair">{_figure(clip.blend_before, 380, "recorded: the mean of one second of frames")}
{_figure(clip.blend_after, 380, "finished: the mean of the same frames")}</div>"""


def _sheet(video: str, pictures: Sequence[NDArray[np.uint8]]) -> str:
    shown = "".join(f'<img src="{_data_uri(picture)}" width="{_SHEET_SIZE}" alt="">' for picture in pictures)
    return f'<p>{html.escape(video)}</p><div class="sheet">{shown}</div>'


def _figure(picture: NDArray[np.uint8], width: int, caption: str) -> str:
    return f'<figure><img src="{_data_uri(picture)}" width="{width}" alt=""><figcaption>{caption}</figcaption></figure>'


def _data_uri(picture: NDArray[np.uint8]) -> str:
    _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


def _plot(curve: Curve) -> str:
    """Both curves over time, as SVG."""
    every = np.concatenate([curve.before, curve.after]).astype(np.float64)
    low, high = float(every.min()), float(every.max())
    room = max(0.05 * (high - low), 1e-3)
    low, high = low - room, high + room
    seconds = max(len(curve.before), len(curve.after)) / 25

    def line(values: NDArray[np.floating], colour: str) -> str:
        x = _LEFT + np.arange(len(values)) / 25 / seconds * (_WIDTH - _LEFT)
        y = (high - values) / (high - low) * _HEIGHT
        places = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.4"/>'

    marks = "".join(
        f'<text x="{_LEFT - 6}" y="{(high - at) / (high - low) * _HEIGHT + 4:.1f}" text-anchor="end">{at:.1f}</text>'
        for at in np.linspace(low + room, high - room, 3)
    )
    return f"""<svg viewBox="0 0 {_WIDTH} {_HEIGHT + 34}" role="img" aria-label="{html.escape(curve.title)}">
<rect x="{_LEFT}" width="{_WIDTH - _LEFT}" height="{_HEIGHT}" fill="#fff" stroke="#d6d3d1"/>
{line(curve.before, _BEFORE)}{line(curve.after, _AFTER)}{marks}
<text x="{_LEFT}" y="{_HEIGHT + 14}">0 s</text>
<text x="{_WIDTH}" y="{_HEIGHT + 14}" text-anchor="end">{seconds:.1f} s</text>
<text x="{_LEFT}" y="{_HEIGHT + 30}">{html.escape(curve.title)}: <tspan fill="{_BEFORE}">recorded</tspan>,
<tspan fill="{_AFTER}">finished</tspan></text></svg>"""
