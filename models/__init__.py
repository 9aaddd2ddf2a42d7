"""Pictures from audio. Synchronous numpy and OpenCV; never asyncio, pydantic, protocol or ws_service."""
