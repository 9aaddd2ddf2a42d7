"""Figures of sessions: plain counts, changed on the event loop alone, shown by `/sessions`."""

from dataclasses import asdict, dataclass, fields


@dataclass(slots=True)
class Counts:
    """What happened in a session, or in all. `frames_late`: deadlines missed by two periods or more, never made up."""

    frames_sent: int = 0
    frames_generated: int = 0
    frames_late: int = 0
    frames_held: int = 0
    frames_dropped: int = 0
    interrupts: int = 0
    errors_sent: int = 0

    def add(self, other: "Counts") -> None:
        """Add another's counts to these."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def as_dict(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self)
