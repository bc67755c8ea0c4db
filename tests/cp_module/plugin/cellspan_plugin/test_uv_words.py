"""What uv printed is told in words that say the way out; the lines are those of uv 0.13."""

from __future__ import annotations

from pathlib import Path

import pytest
from cellspan_plugin.uv_words import downloaded, error_in, failure, not_reached

pytestmark = pytest.mark.quick

LOG = Path("/home/you/engines/last_installation.log")
PYTHON = "https://github.com/astral-sh/python-build-standalone/releases/download/20261110/cpython-3.12.16.tar.gz"
NO_NETWORK = [
    "error: Request failed after 3 retries in 11.0s",
    f"  cause: Failed to download `{PYTHON}`",
    f"  cause: error sending request for url ({PYTHON})",
    "  cause: client error (Connect)",
    "  cause: dns error",
]
LOOKED_INTO = [
    "Using Python 3.12.1 environment at: .local/share/cellspan/engines/1.2-abcdef01",
    "error: Failed to fetch: https://pypi.org/simple/click/",
    "  cause: error sending request for url (https://pypi.org/simple/click/)",
    "  cause: client error (Connect)",
    "  cause: invalid peer certificate: UnknownIssuer",
]


def test_how_much_has_come() -> None:
    lines = ["Resolved 3 packages in 1s", "Downloading numpy (15.0MiB)", "Downloading openvino (56.4MiB)"]
    assert downloaded(lines) == ", 0 of 75 MB"
    assert downloaded([*lines, " Downloaded numpy"]) == ", 16 of 75 MB"
    assert downloaded([*lines, " Downloaded numpy", " Downloaded openvino"]) == ""
    assert downloaded(["Downloading cpython-3.12.16-linux-x86_64-gnu (download) (32.1MiB)"]) == ", 0 of 34 MB"
    assert downloaded(["Resolved 3 packages in 1s"]) == ""


def test_without_a_connection_the_server_is_named() -> None:
    said = failure(NO_NETWORK, LOG, "950")
    assert "because nothing could be downloaded from github.com. Check the connection to the internet" in said
    assert "'Install without a terminal'" in said
    assert said.endswith(f"(All that was printed is in {LOG}.)")


def test_a_network_that_looks_into_connections_is_recognised() -> None:
    assert "because the connection to pypi.org is not trusted" in failure(LOOKED_INTO, LOG, "950")
    assert "is not trusted" in not_reached("pypi.org", "[SSL: CERTIFICATE_VERIFY_FAILED] no issuer", LOG)


def test_a_full_disk_says_how_much_is_needed() -> None:
    said = failure(["error: Failed to install: numpy", "  cause: No space left on device (os error 28)"], LOG, "950")
    assert "the disk is full: it needs about 950 MB in /home/you/engines. Make room" in said


def test_anything_else_can_be_reported() -> None:
    said = failure(["  \u00d7 No solution found when resolving:", "  \u2570\u2500\u25b6 Because a needs b"], LOG, "950")
    assert "could not be installed: No solution found when resolving: Because a needs b. Use cellspan again" in said
    assert said.endswith(f"report it with the file {LOG}.")


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            ["Resolved 3 packages", "error: Failed to build", "  cause: no compiler"],
            "Failed to build: no compiler.",
        ),
        (
            ["  \u00d7 No solution found:", "  \u2570\u2500\u25b6 Because a needs b."],
            "No solution found: Because a needs b.",
        ),
        (["Segmentation fault"], "Segmentation fault."),
        ([], "it said nothing."),
    ],
)
def test_the_error_among_the_lines(lines: list[str], sentence: str) -> None:
    assert error_in(lines) == sentence
