"""Members of zip archives, read without taking more memory than they declare, nor more than there is."""

from __future__ import annotations

import zipfile

from cellspan.core.machine.memory import in_words, require_memory

# The others are decompressed in one piece, however long that is; no program writes ROIs or weights with them.
BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, largest: int | None = None) -> bytes:
    """The content of a member; raises CellspanError or BadZipFile if it is too large or not what it declares."""
    name = f"'{member.filename[:80]}'"
    if member.compress_type not in BOUNDED:
        raise zipfile.BadZipFile(f"{name} is compressed in an unusual way")
    if largest is not None and member.file_size > largest:
        raise zipfile.BadZipFile(f"{name} declares {in_words(member.file_size)}, more than such a file can have")
    require_memory(2 * member.file_size, f"{name} in the archive declares {in_words(member.file_size)}; reading it")
    with archive.open(member) as file:
        # One byte more than there should be: so the end is reached, where the checksum is compared.
        return file.read(member.file_size + 1)
