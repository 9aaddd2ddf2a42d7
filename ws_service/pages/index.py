"""The page at `/`: the avatar and its controls, and what runs here. Makes text; knows no route."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

TEMPLATE = Path(__file__).with_name("index.html")


def index_page(version: str, engine: Mapping[str, Any], reasons: Sequence[str], active: int) -> str:
    """HTML. `reasons`: why the service is not ready, empty when it is."""
    state = "ready" if not reasons else "not ready: " + "; ".join(reasons)
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        version=escape(version),
        engine=escape(str(engine.get("name", "starting"))),
        state=escape(state),
        state_class="ready" if not reasons else "waiting",
        active=active,
    )
