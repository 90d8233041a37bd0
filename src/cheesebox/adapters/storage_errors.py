"""What obstore raises, told in our terms: what is missing, what failed, and why in the service's own words.

Its messages are a sentence, the answer of the service (XML), and a dump of its own state, in that order.
"""

from __future__ import annotations

import html
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cheesebox.errors import EngineError, ObjectMissing

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUERY = re.compile(r"(?<=\S)\?\S+")
_REQUEST = re.compile(
    r"Error performing ([A-Z]+ \S+) in .*? - (?:Server returned non-2xx status code: )?(.*)"
)
_REASON = re.compile(r"<Error>.*?<Code>([^<]{1,80})</Code>.*?<Message>([^<]{1,300})</Message>", re.DOTALL)
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound")


def told(error: BaseException) -> str:
    """Take the sentence, and the reason that the service gives (S3, GCS and Azure have the same fields)."""
    text = str(error)
    sentence = text.partition("\n")[0].partition("<?xml")[0].partition("<Error>")[0].rstrip(": ")
    sentence = _QUERY.sub("", sentence) or type(error).__name__  # a query may be signed
    if request := _REQUEST.search(sentence):
        sentence = ": ".join(request.groups())
    reason = _REASON.search(text)
    if reason is None:
        return sentence
    code, message = (html.unescape(part).strip().partition("\n")[0] for part in reason.groups())
    return f"{sentence}, {code}: {message}"


def is_missing(error: BaseException) -> bool:
    """Tell whether it is the object that is missing: a lost bucket says nothing of what was in it."""
    return isinstance(error, FileNotFoundError) and not any(text in str(error) for text in _NO_BUCKET)


def is_not_implemented(error: BaseException) -> bool:
    """Tell whether the service knows no such request."""
    return type(error).__name__ == "NotSupportedError" or "501 Not Implemented" in str(error)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise `EngineError` for what goes wrong in here, `ObjectMissing` where that is all."""
    try:
        yield
    except EngineError:
        raise
    except TimeoutError as error:
        raise EngineError(f"cannot {doing}: no answer in time") from error
    except Exception as error:
        kind = ObjectMissing if is_missing(error) else EngineError
        raise kind(f"cannot {doing}: {told(error)}") from error
