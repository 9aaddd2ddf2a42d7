"""Which origins of pages are let in."""

import pytest

from ws_service.origins import may_come_from


@pytest.mark.parametrize(
    ("origin", "allowed", "may"),
    [
        ("https://page.example", ["*"], True),
        ("https://page.example/", ["https://page.example"], True),
        ("https://page.example", ["https://other.example"], False),
        ("http://service:8000", ["self"], True),
        ("http://service:8001", ["self"], False),
        ("null", ["self"], False),
        ("http://[", ["self"], False),
    ],
)
def test_listed_origins_and_the_services_own_page_may_come(origin: str, allowed: list[str], may: bool) -> None:
    assert may_come_from(origin, "service:8000", allowed) is may
