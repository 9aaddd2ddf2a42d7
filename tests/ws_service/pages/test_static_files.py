"""What is under `/static`: these files, and nothing beside them."""

import re

import pytest

from ws_service.pages.static_files import FOLDER, static_file


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("avatar-client.js", "text/javascript"),
        ("avatar-client.d.ts", "text/plain"),
        ("page.css", "text/css"),
        ("icon.svg", "image/svg+xml"),
        ("vendor/jmuxer.min.js", "text/javascript"),
        ("vendor/jmuxer.LICENSE.txt", "text/plain"),
    ],
)
def test_a_file_comes_with_its_media_type(name, media_type):
    found = static_file(name)
    assert found is not None
    assert found.media_type == media_type
    assert found.content == (FOLDER / name).read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../index.html",
        "vendor",
        "vendor/../../index.html",
        "none.js",
        "a\0b.js",
        str(FOLDER / "page.css"),
    ],
)
def test_nothing_else_is_a_file(name):
    assert static_file(name) is None


def test_the_modules_need_nothing_from_elsewhere():
    for path in FOLDER.glob("*.js"):
        code = re.sub(r"/\*\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        for target in re.findall(r"""(?:from\s+|import\s+|import\()["']([^"']+)["']""", code):
            assert target.startswith("./"), (path.name, target)
            assert (FOLDER / target).exists(), (path.name, target)
        assert "http://" not in code, path.name
        assert "https://" not in code, path.name


def test_what_has_its_version_in_its_name_may_be_kept_and_all_else_is_asked_for_anew():
    kept = static_file("vendor/swagger-ui-5.35.0.css")
    asked = static_file("docs.css")
    assert kept is not None
    assert asked is not None
    assert "immutable" in kept.cache_control
    assert asked.cache_control == "no-cache"
