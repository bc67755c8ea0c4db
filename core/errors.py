"""The one exception that a user's mistake raises: a single sentence that names the culprit and the way out."""


class CellspanError(Exception):
    """A mistake in the input (file, value, model name); its text is shown to the user as it is, without a traceback."""


class Cancelled(Exception):
    """The user stopped the work; nothing went wrong."""


class DeviceMemoryError(CellspanError):
    """The memory of a graphics card does not suffice."""


def first_line(error: Exception) -> str:
    """What a library's error says, as a part of a sentence for the user: its first line, or its name if it is mute."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
