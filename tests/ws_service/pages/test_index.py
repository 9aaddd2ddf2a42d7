"""The page at `/`: whole, honest about the state, and safe whatever the names are."""

from html.parser import HTMLParser

import pytest

from ws_service.pages.index import index_page

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Outline(HTMLParser):
    """Checks that tags close in order; collects text and links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)
        assert self.stack == [], "every tag is closed"

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.stack):
            self.text += data


def test_a_service_that_is_ready_says_so_with_its_engine_and_sessions():
    outline = Outline(index_page("1.2.3", {"name": "light"}, [], 7))
    assert "ready" in outline.text
    assert "not ready" not in outline.text
    for words in ("light", "7 open", "1.2.3"):
        assert words in outline.text


def test_a_service_that_is_not_ready_says_why():
    outline = Outline(index_page("1", {}, ["the engine is being loaded", "the service is shutting down"], 0))
    assert "not ready: the engine is being loaded; the service is shutting down" in outline.text
    assert "starting" in outline.text


def test_every_link_leads_to_this_service_so_the_page_works_without_the_internet():
    outline = Outline(index_page("1", {}, [], 0))
    assert {"/docs", "/voices", "/avatars", "/sessions", "/health", "/ready", "/openapi.yaml"} <= set(outline.links)
    assert all(link.startswith("/") for link in outline.links)


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"&<', "$version ${engine} $$"])
def test_names_and_reasons_are_text_and_never_markup(text):
    page = index_page(text, {"name": text}, [text], 0)
    assert "<script>" not in page
    assert Outline(page).text.count(text) == 3


def test_nothing_of_the_template_is_left_over():
    assert "$" not in index_page("1", {"name": "light"}, [], 0)
