"""Downloads one file: continues after an interruption, retries on errors, and never shows a partial file."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path

import httpx
import tenacity

from cellspan.core.errors import CellspanError

TIMEOUT = httpx.Timeout(30.0, connect=10.0)  # seconds without a byte
ATTEMPTS = 4
WAIT = tenacity.wait_exponential(multiplier=0.5, max=8) + tenacity.wait_random(0, 0.5)  # seconds between attempts
PASSING = (408, 425, 429, 500, 502, 503, 504)  # temporary errors of a server

OnBytes = Callable[[int, "int | None"], None]  # bytes so far, and in total if known
OnNote = Callable[[str], None]


def download(url: str, path: Path, on_bytes: OnBytes, on_note: OnNote) -> None:
    """Download `url` to `path`, continuing an earlier download if the server supports it.

    Raises CellspanError with one sentence; the part downloaded so far stays in `path` for the next call.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": f"cellspan/{version('cellspan')}"}
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_may_pass),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=WAIT,
        before_sleep=lambda state: on_note(f"{_reason(state)}; trying again"),
        reraise=True,
    )
    try:
        with httpx.Client(headers=headers, timeout=TIMEOUT, follow_redirects=True) as client:
            attempts(_receive, client, url, path, on_bytes)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CellspanError(f"{url} could not be downloaded: {_sentence(error)}.") from None
    except OSError as error:
        raise CellspanError(f"{path}: the download cannot be written ({error.strerror or error}).") from None
    _validator_file(path).unlink(missing_ok=True)


def _receive(client: httpx.Client, url: str, path: Path, on_bytes: OnBytes) -> None:
    """One request, for the missing part or the whole file."""
    there = _continuation(url, path)
    with client.stream("GET", url, headers=there) as response:
        if url.startswith("https:") and response.url.scheme != "https":
            raise httpx.UnsupportedProtocol("the server redirects to an unencrypted connection")
        if there and response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if _whole_length(response) == path.stat().st_size:
                return  # already complete
            path.unlink()
            raise httpx.RemoteProtocolError("the file on the server is shorter than the part already downloaded")
        response.raise_for_status()
        done = _start(response, path)
        total = int(response.headers["content-length"]) + done if "content-length" in response.headers else None
        validator = _validator(response)
        _validator_file(path).write_text(f"{url}\n{validator}\n", encoding="utf-8")
        with path.open("ab" if done else "wb") as file:
            for block in response.iter_raw():
                file.write(block)
                done += len(block)
                on_bytes(done, total)


def _continuation(url: str, path: Path) -> dict[str, str]:
    """Headers that request the rest of a download if the server's file has not changed."""
    try:
        earlier_url, validator = _validator_file(path).read_text(encoding="utf-8").splitlines()[:2]
        size = path.stat().st_size
    except (OSError, ValueError):
        return {}
    if earlier_url != url or not validator or not size:
        return {}
    return {"Range": f"bytes={size}-", "If-Range": validator}


def _start(response: httpx.Response, path: Path) -> int:
    """The number of bytes before those of a response."""
    if response.status_code != HTTPStatus.PARTIAL_CONTENT:
        return 0
    match = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
    size = path.stat().st_size if path.exists() else 0
    if not match or int(match[1]) != size:
        path.unlink(missing_ok=True)  # so that the next attempt requests the whole file
        raise httpx.RemoteProtocolError("the server sent the wrong part of the file")
    return size


def _whole_length(response: httpx.Response) -> int | None:
    match = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("content-range", ""))
    return int(match[1]) if match else None


def _validator(response: httpx.Response) -> str:
    """The version of the server's file; empty if the server does not give one."""
    tag: str = response.headers.get("etag", "")
    changed: str = response.headers.get("last-modified", "")
    return tag if tag and not tag.startswith("W/") else changed


def _validator_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.from")


def _may_pass(error: BaseException) -> bool:
    """Whether to try again."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in PASSING
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)


def _reason(state: tenacity.RetryCallState) -> str:
    error = state.outcome.exception() if state.outcome else None
    return _sentence(error) if error else "the download failed"


def _sentence(error: BaseException) -> str:
    """The error in words for the user."""
    if isinstance(error, httpx.HTTPStatusError):
        code = error.response.status_code
        if code == HTTPStatus.NOT_FOUND:
            return "the server has no such file (404)"
        return f"the server answered {code} ({error.response.reason_phrase or 'no reason given'})"
    if isinstance(error, httpx.TimeoutException):
        return "the server did not answer in time"
    if isinstance(error, httpx.ConnectError):
        return f"cannot connect to {error.request.url.host} ({error}); check the network"
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return f"the connection broke off ({error})"
    return str(error) or type(error).__name__
