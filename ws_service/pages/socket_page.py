"""The page at `/docs/socket`: the AsyncAPI document of the socket, as HTML for people. Makes text; knows no route.

Of AsyncAPI and JSON Schema it reads what `protocol.asyncapi` writes, and no more.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from string import Template

from protocol.message_schemas import Json

TEMPLATE = Path(__file__).with_name("socket.html")


def socket_page(document: Json) -> str:
    """HTML."""
    (channel,) = document["channels"].values()
    operations = document["operations"].values()
    messages = document["components"]["messages"]
    heard = list(_said(operations, "receive"))
    binary = [key for key, message in messages.items() if "x-header" in message]
    client = [key for key in heard if key not in binary]
    service = [key for key in messages if key not in (*client, *binary)]
    replies = {_last(one["messages"][0]): one["reply"]["messages"] for one in operations if "reply" in one}
    sections = {key: _message(key, messages[key], document, replies.get(key, ())) for key in messages}
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        contents=_contents({"client": client, "service": service, "binary": binary}, messages),
        introduction=_text(document["info"]["description"]),
        connect=_connect(document["servers"].values(), channel),
        client="\n".join(sections[key] for key in client),
        service="\n".join(sections[key] for key in service),
        binary="\n".join(sections[key] for key in binary),
        errors=_table(("code", "meaning"), ((_code(c), _line(m)) for c, m in channel["x-error-codes"].items())),
        closes=_table(
            ("code", "name", "meaning"),
            ((_code(c), _code(x["name"]), _line(x["description"])) for c, x in channel["x-close-codes"].items()),
        ),
    )


def _said(operations: Iterable[Json], action: str) -> Iterator[str]:
    for operation in operations:
        if operation["action"] == action:
            yield from map(_last, operation["messages"])


def _last(reference: Json) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _contents(groups: dict[str, list[str]], messages: Json) -> str:
    titles = {"client": "What a client says", "service": "What the service says", "binary": "Binary messages"}
    parts = ['<a href="#connect">Connect</a>']
    for group, keys in groups.items():
        links = "".join(f'<li><a href="#{key}">{_code(messages[key]["title"])}</a></li>' for key in keys)
        parts.append(f'<a href="#{group}">{titles[group]}</a>\n<ul>{links}</ul>')
    return "\n".join([*parts, '<a href="#errors">Error codes</a>', '<a href="#closes">Close codes</a>'])


def _connect(servers: Iterable[Json], channel: Json) -> str:
    headers = channel["bindings"]["ws"]["headers"]["properties"]
    path = ((_code(f"{{{name}}}"), "path", _line(one["description"])) for name, one in channel["parameters"].items())
    header = (
        (_code(name), "header", " ".join([*map(_code, one.get("enum", ())), _line(one["description"])]))
        for name, one in headers.items()
    )
    addresses = _table(
        ("address", ""),
        ((_code(f"{s['protocol']}://{s['host']}{channel['address']}"), _line(s["description"])) for s in servers),
    )
    return addresses + _table(("part", "in", "meaning"), (*path, *header))


def _message(key: str, message: Json, document: Json, replies: Sequence[Json]) -> str:
    answered = ", ".join(f'<a href="#{one}">{_code(one)}</a>' for one in map(_last, replies))
    examples = "".join(
        f"<figure><figcaption>{_line(one['summary'])}</figcaption>"
        f'<pre tabindex="0">{_example(one["payload"])}</pre></figure>'
        for one in message["examples"]
    )
    return f"""<section aria-labelledby="{key}">
<h3 id="{key}"><a href="#{key}">{_code(message["title"])}</a></h3>
<p>{_line(message["summary"])}</p>
{_text(message.get("description", ""))}
{f"<p>What may follow: {answered}.</p>" if answered else ""}
{_header(message["x-header"]) if "x-header" in message else _fields(message["payload"], document)}
{examples}
</section>"""


def _header(fields: Iterable[Json]) -> str:
    rows = ((str(f["offset"]), str(f["bytes"]), _code(f["name"]), _line(f["description"])) for f in fields)
    return _table(("byte", "bytes", "field", "meaning"), rows, shape="narrow")


def _fields(payload: Json, document: Json) -> str:
    """The fields of `data`, those of its objects after them."""
    data = _resolved(payload, document)["properties"].get("data", {})
    rows = list(_rows(_resolved(data, document), document, ""))
    return _table(("in <code>data</code>", "type", "", "meaning"), rows) if rows else ""


def _rows(schema: Json, document: Json, prefix: str) -> Iterator[tuple[str, str, str, str]]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        inner = _resolved(field, document)
        default = field.get("default", inner.get("default"))
        must = "required" if name in required else ""
        if default is not None and "const" not in inner and "properties" not in inner:
            must = f"default {_code(json.dumps(default))}"
        yield _code(prefix + name), _type(inner), must, _line(field.get("description") or inner.get("description", ""))
        yield from _rows(inner, document, f"{prefix}{name}.")


def _resolved(schema: Json, document: Json) -> Json:
    """What a reference, or a schema that may also be null, means."""
    for choices in (schema.get("allOf"), schema.get("anyOf")):
        if choices:
            return _resolved(next(one for one in choices if one != {"type": "null"}), document)
    if "$ref" in schema:
        return _resolved(document["components"]["schemas"][_last(schema)], document)
    return schema


def _type(schema: Json) -> str:
    """In words."""
    if "const" in schema or "enum" in schema:
        return " or ".join(_code(json.dumps(one)) for one in schema.get("enum", [schema.get("const")]))
    if "items" in schema:
        return f"array of {_type(schema['items'])}"
    words = str(schema.get("type", "anything"))
    if "minimum" in schema and "maximum" in schema:
        words += f", {schema['minimum']} to {schema['maximum']}"
    if "pattern" in schema:
        words += f", {_code(schema['pattern'])}"
    if "maxLength" in schema:
        words += f", up to {schema['maxLength']} characters"
    return words if "contentEncoding" not in schema else f"{schema['contentEncoding']} text"


def _example(payload: object) -> str:
    return escape(payload if isinstance(payload, str) else json.dumps(payload, indent=2, ensure_ascii=False))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], shape: str = "wide") -> str:
    """`heads` and cells are HTML. On a phone the cells of a wide table stand below each other."""
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="{shape}" tabindex="0"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'
    )


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _line(text: str) -> str:
    """Markdown's `code` and **bold**, the rest as it is."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", marked)


def _text(text: str) -> str:
    """Paragraphs."""
    return "\n".join(f"<p>{_line(part)}</p>" for part in text.strip().split("\n\n") if part)
