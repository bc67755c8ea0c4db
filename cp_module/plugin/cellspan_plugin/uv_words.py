"""What uv prints, in words for a person: how much has been downloaded, and why it failed.

Fiji's commands say the same (macros/uv_words.groovy). uv's own words, which name addresses and causes within causes,
are for whoever helps; they are in the log.
"""

from __future__ import annotations

import re
from pathlib import Path

MEGABYTES = {"KiB": 0.001049, "MiB": 1.049, "GiB": 1074.0}
BEGUN = re.compile(r"^ *Downloading (\S+) .*\(([\d.]+)(KiB|MiB|GiB)\)", re.M)
DONE = re.compile(r"^ *Downloaded (\S+)", re.M)
# Pieces of what uv, Python and the systems print, in small letters.
FULL = ("no space left", "not enough space", "quota exceeded")
UNTRUSTED = ("certificate",)
UNREACHED = ("error sending request", "dns error", "failed to fetch", "failed to download", "timed out", "connection")


def downloaded(lines: list[str]) -> str:
    """How much has come of what uv has said to be downloading, such as ", 83 of 205 MB"; empty if nothing is."""
    text = "\n".join(lines)
    sizes = {name: float(size) * MEGABYTES[unit] for name, size, unit in BEGUN.findall(text)}
    come = sum(sizes.pop(name, 0.0) for name in DONE.findall(text))
    return f", {come:.0f} of {come + sum(sizes.values()):.0f} MB" if sizes else ""


def failure(lines: list[str], log: Path, disk_mb: str) -> str:
    """Why the engine could not be installed, and what to do, in sentences."""
    said = "\n".join(lines).lower()
    if any(piece in said for piece in FULL):
        return (
            f"The engine could not be installed, because the disk is full: it needs about {disk_mb} MB in "
            f"{log.parent}. Make room, and use cellspan again. (All that was printed is in {log}.)"
        )
    if any(piece in said for piece in (*UNTRUSTED, *UNREACHED)):
        hosts = re.findall(r"https?://([^/\s`\"')]+)", "\n".join(lines))
        return not_reached(hosts[0] if hosts else "the internet", said, log)
    return (
        f"The engine could not be installed: {error_in(lines)} Use cellspan again, which tries once more; if that "
        f"fails, report it with the file {log}."
    )


def not_reached(host: str, said: str, log: Path) -> str:
    """That nothing came from there, and what to do; `said` is what the program said that tried."""
    if any(piece in said.lower() for piece in UNTRUSTED):
        return (
            f"The engine could not be installed, because the connection to {host} is not trusted: its certificate is "
            "unknown here. Mostly the network of an institute looks into connections; ask its administrator, with the "
            f"page 'Install without a terminal' of cellspan's documentation. (All that was printed is in {log}.)"
        )
    return (
        f"The engine could not be installed, because nothing could be downloaded from {host}. Check the connection to "
        "the internet, and use cellspan again. Behind a proxy or a firewall, ask its administrator, with the page "
        f"'Install without a terminal' of cellspan's documentation. (All that was printed is in {log}.)"
    )


def error_in(lines: list[str]) -> str:
    """The error among the lines that uv printed, without its decorations."""
    errors = [line for line in lines if line.lstrip().startswith(("error:", "\u00d7"))]
    first = (errors or lines[-1:] or ["it said nothing"])[0].strip()
    after = lines[lines.index(errors[0]) + 1 :] if errors else []
    causes = [line.strip(" \u2570\u2500\u25b6\u251c\u2502") for line in after]
    said = ": ".join([first, *causes[:2]]).replace("error: ", "", 1).lstrip("\u00d7 ").replace(": cause: ", ": ")
    said = said.replace("::", ":")
    return said if said.endswith((".", "!")) else f"{said}."
