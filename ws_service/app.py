"""The composition root: settings -> the parts of a service -> a Starlette app; and what must be right before the start.

With `service` the only file that knows all parts.
"""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from time import monotonic

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import WebSocketRoute

from models.catalog import check_engine
from models.errors import ModelError
from models.preparation.builtin_avatar import BUILTIN_NAME
from protocol.timing import SOCKET_PATH
from ws_service.avatars.store import AvatarStore
from ws_service.errors import StartError
from ws_service.rest.avatars import AvatarRoutes
from ws_service.rest.cache import CacheRoutes
from ws_service.rest.docs import docs_routes
from ws_service.rest.preparation import PreparationRoutes
from ws_service.rest.routes import Rest, fault, problem
from ws_service.rest.speak import SpeakRoutes
from ws_service.service import MEBIBYTE, Service
from ws_service.session.narrator import Narrator
from ws_service.settings import Settings
from ws_service.sockets.avatar_socket import AvatarSocket
from ws_service.video.encoder import EncodingError
from ws_service.video.encoder_choice import check_encoder


def build_app(settings: Settings) -> Starlette:
    """The ASGI application; `app.state.service` is the `Service`."""
    service = Service(settings)
    rest = Rest(service, monotonic())
    speak = SpeakRoutes(service.admission, Narrator(service.synthesizer))
    preparation = PreparationRoutes(service.jobs, settings.cors_origins, settings.max_upload_mb * MEBIBYTE)
    avatars = AvatarRoutes(service.store, settings.default_avatar, service.forget)
    cache = CacheRoutes(service.library)
    socket = AvatarSocket(service.open_session, settings.cors_origins, settings.reader_timeout_s)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        service.start()
        yield
        await service.stop()

    app = Starlette(
        routes=[
            WebSocketRoute(SOCKET_PATH, socket.serve),
            *rest.routes(),
            *preparation.routes(),  # /avatars/prepare before /avatars/{avatar_id}
            *avatars.routes(),
            *cache.routes(),
            *speak.routes(),
            *docs_routes(),
        ],
        lifespan=lifespan,
        exception_handlers={HTTPException: problem, Exception: fault},
        middleware=[
            Middleware(
                CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["GET", "POST", "PUT", "DELETE"]
            )
        ],
    )
    app.state.service = service
    return app


def check_settings(settings: Settings) -> None:
    """What can be known before the start. Raises `StartError` naming the setting."""
    try:
        check_engine(settings.engine, settings.device, settings.model_path, settings.vae_decoder)
    except ModelError as error:
        raise StartError(f"ENGINE={settings.engine}, DEVICE={settings.device}: {error}") from None
    if settings.h264_encoder != "auto":
        try:
            check_encoder(settings.h264_encoder)
        except EncodingError as error:
            raise StartError(f"H264_ENCODER={settings.h264_encoder}: {error}; use auto or libx264") from None
    folder, name = settings.avatars_dir, settings.default_avatar
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StartError(f"The avatar folder {folder} (AVATARS_DIR) cannot be written: {error.strerror}") from None
    if name != BUILTIN_NAME and not AvatarStore(folder).exists(name):
        raise StartError(f"DEFAULT_AVATAR={name}: there is no such avatar in {folder}; `musetalk prepare` makes one")
