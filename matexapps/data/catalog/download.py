"""Downloads that show progress, resume where they broke off, and are checked."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from matexapps.errors import DataError
from matexapps.progress import report_work

_CHUNK_BYTES = 2**20
_TIMEOUT_S = 60.0


def download(url: str, target: Path, checksum: str) -> Path:
    """Fetch ``url`` to ``target``, which appears only when it is complete and correct.

    If the connection breaks, what was fetched stays beside the target in a file ending in
    ``.part``, and the next call resumes from there.

    Parameters
    ----------
    url : str
    target : Path
    checksum : str
        ``algorithm:hex``, for example ``sha256:...``.

    Raises
    ------
    DataError
        If the server cannot be reached or breaks off, or the checksum differs.
    """
    import pooch

    try:
        pooch.retrieve(
            url,
            known_hash=checksum,
            fname=target.name,
            path=target.parent,
            downloader=_Resuming(target),
        )
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"{url} could not be fetched ({reason})") from None
    except ValueError:
        raise DataError(
            f"{url} was fetched, but its {checksum.partition(':')[0]} is not {checksum}: the file "
            "has changed or was damaged on its way"
        ) from None
    return target


class _Resuming:
    """Fetches into ``target.part`` first; called by pooch with the file that it checks."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._part = target.with_name(target.name + ".part")

    def __call__(self, url: str, output_file: str, _: Any) -> None:
        try:
            self._fetch(url)
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            # The part is at least as long as the file: it belongs to another version.
            self._part.unlink()
            self._fetch(url)
        os.replace(self._part, output_file)

    def _fetch(self, url: str) -> None:
        done = self._part.stat().st_size if self._part.exists() else 0
        # Compression in transit would change the bytes that the checksum is of.
        headers = {"Accept-Encoding": "identity", "User-Agent": "matexapps"}
        if done:
            headers["Range"] = f"bytes={done}-"
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
                done = 0
            length = answer.headers.get("Content-Length")
            total = None if length is None else done + int(length)
            with self._part.open("ab" if done else "wb") as file:
                while chunk := answer.read(_CHUNK_BYTES):
                    file.write(chunk)
                    done += len(chunk)
                    report_work(f"fetching {self._target.name}", done, total, "bytes")
        if total is not None and done < total:
            raise ConnectionError(f"the connection broke after {done} of {total} bytes; try again")
