"""The socket's page shows all that its description holds, with links that lead somewhere and nothing from elsewhere."""

import re
from copy import deepcopy

import pytest

from protocol.asyncapi import asyncapi_document
from protocol.message_schemas import Json
from tests.ws_service.pages.test_index import Outline
from ws_service.pages.socket_page import socket_page


@pytest.fixture(scope="module")
def document() -> Json:
    return asyncapi_document()


@pytest.fixture(scope="module")
def page(document: Json) -> str:
    return socket_page(document)


def section(page: str, key: str) -> str:
    found = re.search(rf'<section aria-labelledby="{key}">.*?</section>', page, re.DOTALL)
    assert found, key
    return Outline(found.group()).text


def test_every_message_has_a_section_with_its_words_and_examples(document: Json, page: str):
    for key, message in document["components"]["messages"].items():
        text = section(page, key)
        assert message["title"] in text
        assert message["summary"].replace("`", "") in text
        assert all(example["summary"].replace("`", "") in text for example in message["examples"])


def test_every_code_is_there(document: Json, page: str):
    text = Outline(page).text
    (channel,) = document["channels"].values()
    assert all(code in text for code in [*channel["x-close-codes"], *channel["x-error-codes"]])


def test_links_lead_to_a_place_on_the_page_or_to_this_service(page: str):
    places = set(re.findall(r'id="([^"]+)"', page))
    links = Outline(page).links
    inside = {link[1:] for link in links if link.startswith("#")}
    assert inside <= places
    assert {"GENERATE", "ERROR", "closes"} <= inside
    assert {link for link in links if not link.startswith("#")} == {
        "/", "/docs", "/docs/socket", "/asyncapi.yaml", "/static/icon.svg", "/static/docs.css",
    }  # fmt: skip


def test_fields_come_with_their_place_type_default_and_meaning(page: str):
    text = section(page, "GENERATE")
    assert re.search(r"audio_chunk\.sample_rate\s*integer, 8000 to 48000\s*default 16000\s*Hz", text)
    assert re.search(r"audio_chunk\.data\s*base64 text\s*required", text)
    assert re.search(r'video_state\.type\s*"idle" or "speaking" or "action"', text)


def test_a_message_says_what_may_follow(page: str):
    assert "What may follow: INIT_SUCCESS, ERROR." in section(page, "INIT")
    assert "What may follow" not in section(page, "CLIENT_PING")


def test_a_binary_message_has_its_header_and_no_table_of_fields(page: str):
    text = section(page, "VIDEO")
    assert re.search(r"16\s*4\s*audio_ms", text)
    assert "in data" not in text


def test_words_are_text_and_never_markup(document: Json):
    changed = deepcopy(document)
    changed["components"]["messages"]["INIT"]["summary"] = "a <b> & `<i>` of ${data}"
    assert "a <b> & <i> of ${data}" in section(socket_page(changed), "INIT")
