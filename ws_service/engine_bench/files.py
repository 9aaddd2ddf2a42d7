"""The folder that a run leaves behind: `engine.json`, `engine.md`, two plots. Owns their names."""

import json
import os
from pathlib import Path

from ws_service.engine_bench.figures import BenchResult
from ws_service.engine_bench.plots import draw_plots
from ws_service.engine_bench.report import markdown
from ws_service.errors import StartError

JSON_NAME = "engine.json"
MARKDOWN_NAME = "engine.md"


class BenchFiles:
    """Writes the figures into one folder, again after each part. Raises `StartError` where it cannot."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StartError(f"The folder {folder} (--output) cannot be made: {error.strerror}") from None

    def save(self, result: BenchResult) -> None:
        """JSON and Markdown, replaced whole, so that a run that is killed leaves the ones before."""
        self._write(JSON_NAME, json.dumps(result.as_dict(), indent=2))
        self._write(MARKDOWN_NAME, markdown(result))

    def draw(self, result: BenchResult) -> str:
        """The plots; says in a sentence what came of it."""
        try:
            written = draw_plots(result, self._folder)
        except ImportError:
            return "No plots: matplotlib is not installed (pip install 'musetalk-stream[plot]')."
        except (OSError, ValueError) as error:
            return f"No plots: {error}."
        return f"Plots: {', '.join(path.name for path in written)}." if written else "No plots: nothing to draw."

    def _write(self, name: str, text: str) -> None:
        unfinished = self._folder / f".{name}"
        try:
            unfinished.write_text(text, encoding="utf-8")
            os.replace(unfinished, self._folder / name)
        except OSError as error:
            raise StartError(f"{self._folder / name} cannot be written: {error.strerror}") from None
