"""Private: recognises files that are neither CSV nor JSON lines in UTF-8 by their first bytes."""

from typing import Final

from restream_async._util.stray_characters import named
from restream_async._util.text_files import foreign_encoding

GZIP: Final = b"\x1f\x8b"

_SIGNATURES: Final = {
    GZIP: "is compressed with gzip twice: unpack it once",
    b"BZh": "is compressed with bzip2: unpack it, or compress it with gzip instead",
    b"\xfd7zXZ\x00": "is compressed with xz: unpack it, or compress it with gzip instead",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd: unpack it, or compress it with gzip instead",
    b"7z\xbc\xaf\x27\x1c": "is a 7-Zip archive: unpack it",
    b"PK\x03\x04": "is a ZIP file, such as a spreadsheet (.xlsx, .ods): save the table as CSV in "
    "UTF-8, or unpack the archive",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "is an old Office file, such as a "
    "spreadsheet (.xls): save the table as CSV in UTF-8",
    b"SQLite format 3\x00": "is an SQLite database, such as a journal: name the file with the "
    "restreams instead",
}
_LONE_RETURNS: Final = (
    f"ends its lines with {named(chr(13))} alone: save it with Unix or Windows line breaks"
)
_TAR: Final = (257, b"ustar")


def why_unreadable(start: bytes) -> str:
    """Return what a file is and what to do, or an empty text if it may be readable.

    Args:
        start: the first few thousand bytes of the file.

    """
    for signature, problem in _SIGNATURES.items():
        if start.startswith(signature):
            return problem
    offset, signature = _TAR
    if start[offset:].startswith(signature):
        return "is a tar archive: unpack it"
    if problem := foreign_encoding(start):
        return problem
    # A carriage return at the very end may be half of a Windows line break.
    if b"\n" not in start and b"\r" in start[:-1]:
        return _LONE_RETURNS
    return ""
