"""The measurement before the service is ready, of an engine that may break in it and is made anew then.

How often is the engine's own plan to say: each break counts, and in the end it is lost. Measures nothing itself.
"""

import asyncio
from typing import Protocol

import structlog

from models.prepared_avatar import PreparedAvatar
from ws_service.errors import ProcessingFailed

_LOOK_INTERVAL_S = 0.1


class RebuiltEngine(Protocol):
    """An engine that is made anew when it breaks."""

    @property
    def state(self) -> str:
        """`running`, `rebuilding` or `lost`."""
        ...

    @property
    def rebuilds(self) -> int:
        """How often it was made anew."""
        ...


class Measured(Protocol):
    """What measures the engine: the scheduler."""

    async def measure(self, avatar: PreparedAvatar) -> None:
        """Once. Raises `ProcessingFailed` when the engine fails."""
        ...


async def measure(engine: RebuiltEngine, scheduler: Measured, avatar: PreparedAvatar) -> None:
    """Until a measurement comes to its end; each engine is measured from the beginning.

    Raises `ProcessingFailed` when the engine fails and is not made anew: it refuses its input, or it is lost.
    """
    while True:
        rebuilds = engine.rebuilds
        try:
            await scheduler.measure(avatar)
            return
        except ProcessingFailed as error:
            while engine.state == "rebuilding":
                await asyncio.sleep(_LOOK_INTERVAL_S)
            if engine.rebuilds == rebuilds:
                raise
            structlog.get_logger().warning("the engine broke while it was measured", error=error.message)
