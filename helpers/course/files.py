"Write a file whole, or not at all."

import os
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(
    path,  # the file to write
):  # a path beside it, to write to
    "What is written beside the file takes its place when it is whole; after an error the old file stays."
    path = Path(path).resolve()  # where a link leads: the link stays
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
