"""What came over HTTP: who may ask, and what is asked.

Rules:
1. A web page that is open in a browser on this device is not to read handwriting through it. Its requests are known by
   `Origin` and `Sec-Fetch-Site`; one that was led here by its own domain name (DNS rebinding), by `Host`.
2. The body's length is known before it is read. A request has one length, in plain digits, and no transfer coding.
3. What is not understood is refused and not passed over: a misspelt option would change what is read.

Source: RFC 9110, RFC 9112; Fetch Metadata Request Headers (W3C).
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Mapping
from email.message import Message
from typing import Final
from urllib.parse import parse_qsl

from handfed.clients.edge.answers import Question
from handfed.clients.edge.feedback import Remark
from handfed.clients.edge.serving.problems import Problem

MOST_ALTERNATIVES: Final = 100
FIELDS: Final = ("picture", "read", "correct", "writer", "consent", "pick", "by")
_HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")
_OWN_SITE: Final = ("same-origin", "none")  # a page of this service; a person who types the address
_HTTP_PORT: Final = 80
_DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_SWITCH: Final[Mapping[str, bool]] = {"1": True, "true": True, "0": False, "false": False}


def check_place(headers: Message, port: int) -> None:
    """Refuses what was not sent to this service by its own name, or was sent by a page of another site.

    Raises:
        Problem: So it is.
    """
    allowed = {f"{host}:{port}" for host in _HOSTS} | ({*_HOSTS} if port == _HTTP_PORT else set())
    hosts = headers.get_all("Host", [])
    if len(hosts) != 1 or str(hosts[0]).strip().lower() not in allowed:
        raise Problem("foreign", f"the header Host must be 127.0.0.1:{port} or localhost:{port}")
    origins = {str(origin).strip().lower() for origin in headers.get_all("Origin", [])}
    sites = {str(site).strip().lower() for site in headers.get_all("Sec-Fetch-Site", [])}
    if not origins <= {f"http://{host}" for host in allowed} or not sites <= {*_OWN_SITE}:
        raise Problem("foreign", "pages of other sites may not ask here")


def check_token(headers: Message, token: str | None) -> None:
    """Refuses whoever does not know the token, where there is one.

    Raises:
        Problem: So it is.
    """
    if token is None:
        return
    said = [str(each) for each in headers.get_all("Authorization", [])]
    scheme, _, value = said[0].strip().partition(" ") if len(said) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not hmac.compare_digest(value.strip().encode(errors="replace"), token.encode()):
        raise Problem(
            "unauthenticated",
            "send the header Authorization: Bearer with what is in the service's token file",
            {"WWW-Authenticate": 'Bearer realm="handfed"'},
        )


def length_of(headers: Message, most: int) -> int:
    """How long the body is, in bytes.

    Args:
        headers: Of the request.
        most: What is taken.

    Raises:
        Problem: It does not say, or is longer than that.
    """
    if headers.get_all("Transfer-Encoding"):
        raise Problem("length-required", "send the picture with Content-Length, and not in chunks")
    lengths = headers.get_all("Content-Length", [])
    if not lengths:
        raise Problem("length-required", "send the picture with Content-Length")
    said = str(lengths[0]).strip()
    if len(lengths) != 1 or not _DIGITS.fullmatch(said):
        raise Problem("malformed", "Content-Length must be one number")
    if int(said) > most:
        raise Problem("too-large", f"a picture may have {most:,} bytes; scale it down, or save it as PNG or JPEG")
    return int(said)


def check_is_picture(headers: Message) -> None:
    """Refuses a body that does not say that it is a picture; no form of a web page can say so.

    Raises:
        Problem: So it is.
    """
    kinds = headers.get_all("Content-Type", [])
    if len(kinds) != 1 or not str(kinds[0]).strip().lower().startswith("image/"):
        raise Problem("no-picture", "send the picture as it is, with a Content-Type such as image/png")
    if headers.get_all("Content-Encoding"):
        raise Problem("no-picture", "send the picture as it is, without a Content-Encoding")


def remark_of(content: bytes) -> tuple[bytes, Remark]:
    """A picture with what a person says of its reading.

    Args:
        content: JSON: an object of `FIELDS`, texts all of them, `picture` in base64; it and `read` are needed.

    Raises:
        Problem: It is something else.
    """
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):
        raise Problem("malformed", "the body must be JSON in UTF-8") from None
    if not isinstance(fields, dict) or not {"picture", "read"} <= fields.keys() <= {*FIELDS}:
        raise Problem(
            "malformed", f"the body must be an object of picture and read, and perhaps {', '.join(FIELDS[2:])}"
        )
    if not all(isinstance(value, str) and value.isprintable() for value in fields.values()):
        raise Problem("malformed", "every field must be a text, without control characters")
    if fields.get("consent", "unknown") not in {"given", "unknown"}:
        raise Problem("malformed", "consent is given or unknown")
    if fields.get("by", "program") not in {"browser", "program"}:
        raise Problem("malformed", "by is browser or program")
    try:
        picture = base64.b64decode(fields.pop("picture"), validate=True)
    except ValueError:
        raise Problem("malformed", "the picture must be in base64") from None
    return picture, Remark(**fields)


def check_is_json(headers: Message) -> None:
    """Refuses a body that does not say that it is JSON; no form of a web page can say so.

    Raises:
        Problem: So it is.
    """
    kinds = [str(kind).partition(";")[0].strip().lower() for kind in headers.get_all("Content-Type", [])]
    if kinds != ["application/json"] or headers.get_all("Content-Encoding"):
        raise Problem("no-feedback", "send JSON, with the Content-Type application/json and no Content-Encoding")


def question_of(query: str) -> Question:
    """What is asked: `boxes=1&alternatives=3`.

    Raises:
        Problem: There is more, or it cannot be.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=4)
    except ValueError:
        raise Problem("malformed", "the query must be like boxes=1&alternatives=3") from None
    options = dict(pairs)
    if len(options) != len(pairs) or not options.keys() <= {"boxes", "alternatives"}:
        raise Problem("malformed", "the query may have boxes and alternatives, each once")
    boxes, alternatives = options.get("boxes", "0"), options.get("alternatives", str(Question.alternatives))
    if boxes not in _SWITCH:
        raise Problem("malformed", "boxes must be 0 or 1")
    if not _DIGITS.fullmatch(alternatives) or int(alternatives) > MOST_ALTERNATIVES:
        raise Problem("malformed", f"alternatives must be a number from 0 to {MOST_ALTERNATIVES}")
    return Question(int(alternatives), boxes=_SWITCH[boxes])
