"""The parts of one running service: made of the settings, got ready one after the other, ended together.

Owns when sessions can be served and why they cannot, and the end of a process whose engine is lost. Knows no route and
no socket.
"""

import asyncio
import gc
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import structlog

from models.catalog import EngineChoice, choose_engine, create_engine
from models.errors import AvatarError, EngineLost, ModelError, PreparationError
from models.preparation.builtin_avatar import BUILTIN_NAME
from ws_service.avatars.cache import AvatarCache
from ws_service.avatars.job_queue import JobQueue
from ws_service.avatars.library import AvatarLibrary
from ws_service.avatars.make_avatar import make_builtin
from ws_service.avatars.preparation_jobs import PreparationJobs
from ws_service.avatars.store import AvatarStore
from ws_service.errors import AvatarDamaged, AvatarNotFound, EngineUnavailable, NotReady, ServiceError
from ws_service.generation.lasting_engine import LastingEngine
from ws_service.generation.scheduler import GenerationScheduler
from ws_service.generation.trial import measure
from ws_service.generation.watchdog import engine_failure
from ws_service.session.actor import SessionActor
from ws_service.session.admission import Admission
from ws_service.session.init_answer import SessionLimits
from ws_service.session.interfaces import PacketSink
from ws_service.settings import Settings
from ws_service.speech.choice import choose_synthesizer
from ws_service.video.encoder import EncodingError
from ws_service.video.encoder_choice import EncoderChoice, choose_encoder

FIRST_BATCHES_MAY_TAKE = 10  # times ENGINE_TIMEOUT_S: kernels are looked for and compiled
MEBIBYTE = 1 << 20
SURELY_HANGS = 10  # times the slowest batch that was measured: MuseTalk on a CPU takes seconds for one


class Service:
    """The parts of one running service. Made on the event loop, warmed up beside it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.admission = Admission(settings.max_sessions)
        self.synthesizer = choose_synthesizer(
            api_url=settings.speech_api_url,
            api_key=settings.speech_api_key.get_secret_value(),
            api_model=settings.speech_api_model,
            api_sample_rate_hz=settings.speech_api_sample_rate,
            api_timeout_s=settings.speech_api_timeout_s,
            default_voice=settings.default_voice,
        )
        self.store = AvatarStore(settings.avatars_dir)  # one, so that all tell the damage that one of them found
        self.jobs = PreparationJobs(
            self.store,
            JobQueue(
                max_waiting=settings.max_waiting_jobs, max_running=settings.parallel_jobs, kept_s=settings.job_kept_s
            ),
            timeout_s=settings.job_timeout_s,
            memory_bytes=settings.job_memory_mb * MEBIBYTE,
        )
        self._limits = SessionLimits(settings.max_queued_audio_s, settings.idle_timeout_s)
        self._encoders = ThreadPoolExecutor(
            settings.encoder_threads or max(2, (os.cpu_count() or 1) // 2), thread_name_prefix="encoder"
        )
        self.failure: str | None = None  # why this process must end, so that its supervisor starts another
        self._engine_choice: EngineChoice | None = None
        self._encoder_choice: EncoderChoice | None = None
        self._engine: LastingEngine | None = None
        self._scheduler: GenerationScheduler | None = None
        self._library: AvatarLibrary | None = None
        self._waiting_for = ["the engine is being loaded"]
        self._warming: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to warm up; returns at once."""
        self._warming = asyncio.get_running_loop().create_task(self._warm_up())

    async def stop(self) -> None:
        """End the threads; after a failure of the engine nobody waits for its own."""
        tasks = [task for task in (self._warming, self._watching) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.jobs.closed()
        if self._library is not None:
            self._library.close()
        if self._engine is not None:
            self._engine.close()
        if self._scheduler is not None and self.failure is None:
            await asyncio.to_thread(self._scheduler.stop)
        await self.synthesizer.close()
        self._encoders.shutdown(wait=False, cancel_futures=True)

    def not_ready(self) -> list[str]:
        """Why sessions cannot be served now; empty when they can.

        While the engine is made anew they are let in all the same: they see the avatar, and may soon speak with it.
        """
        reasons = list(self._waiting_for)
        if self.failure is not None:
            reasons.append(f"{self.failure}; the service restarts")
        elif self.admission.draining:
            reasons.append("the service is shutting down")
        elif self._engine is not None and self._engine.state == "rebuilding":
            reasons.append("the engine broke and is being made anew")
        return reasons

    def warnings(self) -> list[str]:
        """What is wrong though sessions can be served."""
        trouble = self._library.default_trouble() if self._library is not None and not self._waiting_for else ""
        return [f"{trouble} (DEFAULT_AVATAR); other avatars are served"] if trouble else []

    def choices(self) -> Mapping[str, str]:
        """Which engine and which video encoder run, and why; what is not chosen yet is left out."""
        engine, encoder = self._engine_choice, self._encoder_choice
        return {
            **({"engine": engine.name, "engine_reason": engine.reason} if engine else {}),
            **({"h264_encoder": encoder.name, "h264_encoder_reason": encoder.reason} if encoder else {}),
        }

    def engine_figures(self) -> Mapping[str, Any]:
        """Name and figures of the engine; empty before it is there."""
        return self._scheduler.figures() if self._scheduler is not None else {}

    def library(self) -> AvatarLibrary:
        """The avatars in memory. Raises `NotReady` before the default one is there."""
        if self._waiting_for or self._library is None:
            raise self._refusal()
        return self._library

    def forget(self, avatar: str) -> None:
        """It was removed from the disk."""
        if self._library is not None:
            self._library.drop(avatar)

    def open_session(self, user_id: str, sink: PacketSink) -> SessionActor:
        """A new session, showing the default avatar. Raises `NotReady` or `AtCapacity`."""
        if self._waiting_for or self.failure is not None or self._library is None or self._scheduler is None:
            raise self._refusal()
        self.admission.check()
        return SessionActor(
            user_id, sink, self.admission, self._library, self._library.default(), self._scheduler, self._limits
        )

    def _refusal(self) -> NotReady:
        warming = self.failure is None and (self._warming is None or not self._warming.done())
        return NotReady(("The service is getting ready: " if warming else "Not ready: ") + "; ".join(self.not_ready()))

    def fail(self, reason: str) -> None:
        """This process cannot speak any more: tell the sessions; the server sees `failure` and ends.

        The first reason given stands.
        """
        if self.failure is not None:
            return
        self.failure = reason
        structlog.get_logger().critical("the service ends to be started anew", reason=reason)
        self.admission.drain(NotReady(f"The service restarts, connect again: {reason}"))

    async def _check_voice(self) -> None:
        """A wrong DEFAULT_VOICE is told now, not at the first text; without one set, no voice is loaded yet."""
        if not self.settings.default_voice:
            return
        try:
            await self.synthesizer.check(None)
        except ServiceError as error:
            structlog.get_logger().warning("DEFAULT_VOICE cannot speak", reason=error.message)

    async def _warm_up(self) -> None:
        settings, log = self.settings, structlog.get_logger()
        try:
            await self._check_voice()
            chosen = await asyncio.to_thread(
                choose_engine,
                settings.engine,
                device=settings.device,
                model_path=settings.model_path,
                vae_decoder=settings.vae_decoder,
            )
            self._engine_choice = chosen
            log.info("engine chosen", engine=chosen.name, reason=chosen.reason)
            make = partial(
                create_engine,
                chosen.name,
                device=settings.device,
                model_path=settings.model_path,
                vae_decoder=settings.vae_decoder,
            )
            engine = await asyncio.to_thread(LastingEngine, make)
            self._engine, self._scheduler = engine, GenerationScheduler(engine)
            self._scheduler.start()
            self._watch(engine, self._scheduler, FIRST_BATCHES_MAY_TAKE * settings.engine_timeout_s)
            has_gpu = str(engine.describe().get("device", "")).startswith("cuda")
            encoder = await asyncio.to_thread(choose_encoder, settings.h264_encoder, has_gpu=has_gpu)
            self._encoder_choice = encoder
            log.info("video encoder chosen", encoder=encoder.name, reason=encoder.reason)
            await self.jobs.sweep()
            if settings.default_avatar == BUILTIN_NAME:
                await self._have_builtin()
            self._waiting_for = ["the default avatar is being loaded"]
            self._library = AvatarLibrary(
                self.store,
                engine,
                self._encoders,
                AvatarCache(settings.cache_budget_mb * MEBIBYTE, settings.cache_ttl_s),
                default_name=settings.default_avatar,
                require_avatar=settings.require_avatar,
                encoder_name=encoder.name,
            )
            await self._warm_default(self._library)
            self._waiting_for = ["the engine is being measured"]
            held = self._library.default()
            await measure(engine, self._scheduler, held.avatar)
            held.release()
        except Exception as error:  # whatever it is, it is why the service is not ready
            self._waiting_for = [str(error) or repr(error)]
            known = isinstance(error, AvatarError | EncodingError | ModelError | PreparationError | ServiceError)
            log.error("cannot get ready", reason=self._waiting_for[0], exc_info=None if known else error)
            lost = str(error) if isinstance(error, EngineLost) else self._engine and self._engine.lost
            if lost:
                self.fail(f"the engine is lost: {lost}")
            return
        gc.collect()
        gc.freeze()  # what is loaded stays: collections need not walk it while streams run
        self._waiting_for = []
        slowest_s = max(self._scheduler.times.seconds, default=0.0)
        self._watch(engine, self._scheduler, max(settings.engine_timeout_s, SURELY_HANGS * slowest_s))
        log.info("ready", engine=engine.name, avatar=settings.default_avatar)

    async def _have_builtin(self) -> None:
        """Anew, too, where the one that is there is damaged or of an older version."""
        if not await asyncio.to_thread(_is_whole, self.store, BUILTIN_NAME):
            self._waiting_for = ["the built-in avatar is being prepared"]
            folder = self.store.folder / BUILTIN_NAME
            structlog.get_logger().info("preparing the built-in avatar", folder=str(folder))
            await asyncio.to_thread(make_builtin, folder)

    async def _warm_default(self, library: AvatarLibrary) -> None:
        """A damaged one of the user's own stops nobody from being shown another: the built-in one is seen first."""
        try:
            await library.warm()
        except (AvatarDamaged, AvatarNotFound, EngineUnavailable) as error:
            if self.settings.default_avatar == BUILTIN_NAME:
                raise
            structlog.get_logger().error("the default avatar cannot be shown", reason=error.message)
            await self._have_builtin()
            await library.warm_stand_in(BUILTIN_NAME)

    def _watch(self, engine: LastingEngine, scheduler: GenerationScheduler, batch_timeout_s: float) -> None:
        """From now on a batch may take so long."""

        async def watch() -> None:
            self.fail(await engine_failure(engine, lambda: scheduler.busy_since_s, batch_timeout_s))

        if self._watching is not None:
            self._watching.cancel()
        self._watching = asyncio.get_running_loop().create_task(watch())


def _is_whole(store: AvatarStore, name: str) -> bool:
    """Every byte of it is as it was prepared."""
    try:
        store.read(name)
        store.check_pictures(name)
    except (AvatarDamaged, AvatarNotFound):
        return False
    return True
