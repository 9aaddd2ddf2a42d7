import re
import xml.etree.ElementTree as ET

import numpy as np

from models.preparation.report import AvatarReport, ClipReport, Curve
from models.preparation.steadying import Steadiness

PICTURE = np.full((512, 512, 3), 90, np.uint8)


def _clip(title: str = "idle_0, from clip.mp4", warnings: tuple[str, ...] = ()) -> ClipReport:
    curves = [Curve("Box, across: px", np.linspace(0, 9, 50), np.full(50, 4.0))]
    return ClipReport(title, "Done.", Steadiness(4.5, 0.07), Steadiness(0.6, 0.01), curves, PICTURE, PICTURE, warnings)


def test_the_page_needs_no_other_file():
    report = AvatarReport("anna", clips=[_clip()])
    report.add_sheet("idle_0", np.full((50, 768, 512), 128, np.uint8))
    page = report.html()
    addresses = re.findall(r'(?:src|href)="([^"]{0,40})', page)
    assert len(addresses) == 12 + 2
    assert all(address.startswith("data:image/jpeg;base64,") for address in addresses)
    assert "http" not in page.replace("http-equiv", "")


def test_figures_before_and_after_stand_in_a_table():
    page = AvatarReport("anna", clips=[_clip()]).html()
    assert re.findall(r'class="n">([^<]+)', page) == ["4.50", "0.60", "7.0%", "1.0%"]


def test_plots_are_drawings_with_both_curves():
    (drawing,) = re.findall(r"<svg.*?</svg>", AvatarReport("anna", clips=[_clip()]).html(), re.DOTALL)
    lines = ET.fromstring(drawing).findall("polyline")
    assert [len(line.attrib["points"].split()) for line in lines] == [50, 50]


def test_a_constant_curve_is_drawn():
    curve = Curve("flat", np.zeros(1), np.zeros(1))
    clip = ClipReport("a", "", Steadiness(0, 0), Steadiness(0, 0), [curve], PICTURE, PICTURE, ())
    assert "nan" not in AvatarReport("anna", clips=[clip]).html()


def test_warnings_name_their_clip_and_no_warning_is_told_too():
    report = AvatarReport("anna", clips=[_clip(warnings=("The face is small.",))], warnings=["Turned."])
    assert report.every_warning == ["Turned.", "idle_0, from clip.mp4: The face is small."]
    assert report.html().count('class="warn"') == 2
    assert "Nothing to warn of" in AvatarReport("anna").html()


def test_what_a_file_name_says_is_text():
    page = AvatarReport("anna", clips=[_clip("<script>alert(1)</script>", ("<b>",))]).html()
    assert "<script>" not in page
    assert "<b>" not in page
