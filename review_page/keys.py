"""Who may read a review: whoever opens a link that works once gets a cookie for that review alone."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass

LINK_SECONDS = 300.0
MOST = 1000  # links or cookies


@dataclass(frozen=True)
class Ticket:
    """Which review a key is for."""

    session: str
    ends: float  # by time.monotonic()


class Keys:
    """Links that wait to be opened, and cookies; thread-safe."""

    def __init__(self) -> None:
        """None yet."""
        self._lock = threading.Lock()
        self._links: dict[str, Ticket] = {}
        self._cookies: dict[str, str] = {}  # secret -> session

    def link(self, session: str) -> str:
        """A key that opens the review once."""
        key, now = secrets.token_urlsafe(32), time.monotonic()
        with self._lock:
            self._links = {name: ticket for name, ticket in self._links.items() if ticket.ends > now}
            self._links[key] = Ticket(session, now + LINK_SECONDS)
        return key

    def use(self, key: str) -> tuple[str, str] | None:
        """The session of a link and a new secret for its cookie; None if the link is not valid any more."""
        with self._lock:
            ticket = self._links.pop(key, None)
            if ticket is None or ticket.ends <= time.monotonic():
                return None
            secret = secrets.token_urlsafe(32)
            while len(self._cookies) >= MOST:
                del self._cookies[next(iter(self._cookies))]
            self._cookies[secret] = ticket.session
            return ticket.session, secret

    def opens(self, secret: str, session: str) -> bool:
        """Whether a cookie is one for this review."""
        with self._lock:
            owner = self._cookies.get(secret)
        return owner is not None and secrets.compare_digest(owner, session)
