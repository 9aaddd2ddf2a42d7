"""Who may come in: the session limit, the ids in use, and the drain before a shutdown. Pure."""

import re
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

from protocol.codes import CloseCode, CloseReason
from ws_service.errors import AtCapacity, NotReady, ServiceError
from ws_service.metrics import Counts

UUID_PATTERN = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")


class AdmittedSession(Protocol):
    """What the register needs of a session."""

    counts: Counts

    def leave(self, reason: CloseReason, code: CloseCode = ..., error: ServiceError | None = None) -> None:
        """Ask the session to say goodbye and end; `error` is told before."""
        ...


@dataclass
class Admission:
    """The register of open sessions. `counts` sums the sessions that have ended."""

    max_sessions: int
    draining: bool = False
    counts: Counts = field(default_factory=Counts)
    sessions_total: int = 0
    sessions_refused: int = 0
    _open: dict[str, AdmittedSession] = field(default_factory=dict)

    @property
    def active(self) -> int:
        """Open sessions."""
        return len(self._open)

    @property
    def sessions(self) -> dict[str, AdmittedSession]:
        """Open sessions by id."""
        return dict(self._open)

    def check(self) -> None:
        """Raises `NotReady` while draining and `AtCapacity` at the limit."""
        if self.draining:
            raise NotReady("The service is shutting down")
        if len(self._open) >= self.max_sessions:
            self.sessions_refused += 1
            raise AtCapacity(
                f"All {self.max_sessions} sessions are in use; try again later", {"limit": self.max_sessions}
            )

    def enter(self, session: AdmittedSession) -> str:
        """Register a session; returns its new id."""
        session_id = str(uuid4())
        self._open[session_id] = session
        self.sessions_total += 1
        return session_id

    def rename(self, session_id: str, wanted: str | None) -> str:
        """The client's own id, as written, when it is a UUID that no other session uses; else a new one."""
        session = self._open.pop(session_id)
        in_use = {_canonical(used) for used in self._open}
        if wanted is None or not UUID_PATTERN.fullmatch(wanted) or _canonical(wanted) in in_use:
            wanted = str(uuid4())
        self._open[wanted] = session
        return wanted

    def exit(self, session_id: str) -> None:
        """The session has ended."""
        session = self._open.pop(session_id)
        self.counts.add(session.counts)

    def drain(self, failure: NotReady | None = None) -> None:
        """No new sessions; the open ones are asked to leave, told of `failure` where there is one."""
        self.draining = True
        for session in list(self._open.values()):
            if failure is None:
                session.leave(CloseReason.SERVER_SHUTDOWN)
            else:
                session.leave(CloseReason.ERROR, CloseCode.SERVICE_RESTART, failure)

    def totals(self) -> Counts:
        """Counts of all sessions, ended and open."""
        total = Counts()
        total.add(self.counts)
        for session in self._open.values():
            total.add(session.counts)
        return total


def same_id(one: str, other: str) -> bool:
    """The same UUID, in whatever writing."""
    return _canonical(one) == _canonical(other)


def _canonical(session_id: str) -> str:
    """A UUID has several writings."""
    return session_id.replace("-", "").lower()
