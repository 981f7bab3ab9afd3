"""Reading a sweep file's YAML, safely: plain data or one list of mistakes."""

from pathlib import Path
from typing import Any

import yaml

from distml.errors import DistmlError, Mistake, MistakesError

MAX_BYTES = 2**20  # a sweep file is a page; a megabyte of YAML is something else
MAX_DEPTH = 40


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping with text keys.

    Raises:
        DistmlError: the file cannot be read.
        MistakesError: it is not UTF-8, not YAML, too large, or not a mapping.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise DistmlError(f"there is no file {path}") from None
    except IsADirectoryError:
        raise DistmlError(f"{path} is a folder; give the sweep file in it") from None
    except OSError as error:
        raise DistmlError(f"cannot read {path}: {error.strerror}") from None
    return parse_mapping(content, path.name)


def parse_mapping(content: bytes, subject: str) -> dict[str, Any]:
    """Parse a sweep file's content; `subject` names it in mistakes."""
    if len(content) > MAX_BYTES:
        raise MistakesError(subject, [Mistake("", "is larger than 1 MiB, which no sweep file is")])
    try:
        raw = parse_yaml(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise MistakesError(
            subject, [Mistake(f"line {line}", f"byte 0x{byte:02x} is not UTF-8; save it as UTF-8")]
        ) from None
    except YamlMistake as error:
        raise MistakesError(subject, [Mistake(error.where, error.what)]) from None
    if raw is None:
        raise MistakesError(subject, [Mistake("", "is empty; it needs at least name, data.source and data.target")])
    if not isinstance(raw, dict):
        raise MistakesError(
            subject, [Mistake("", f"holds a {_kind(raw)}, not a mapping of keys like 'name: my-sweep'")]
        )
    return raw


class YamlMistake(ValueError):
    """Text that is not the YAML distml accepts."""

    def __init__(self, where: str, what: str) -> None:
        self.where = where  # 'line 3', or empty
        self.what = what
        super().__init__(f"{where}: {what}" if where else what)


def parse_yaml(text: str) -> Any:
    """Parse one YAML document into plain data.

    Aliases are refused: a few lines of them unfold into gigabytes.

    Raises:
        YamlMistake: with the line and the fix.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader, stricter still
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(part for part in (error.context, error.problem) if part)
        if "'\\t'" in what:
            what = "a tab; YAML indents with spaces"
        raise YamlMistake(f"line {mark.line + 1}" if mark else "", what) from None
    except yaml.YAMLError as error:
        raise YamlMistake("", str(error).splitlines()[0]) from None


class _Loader(yaml.SafeLoader):
    """SafeLoader without aliases, tags, repeated keys, keys that are not text, or bottomless nesting."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _refused(f"aliases (*{event.anchor}) are not accepted; write the value out", event)
        if getattr(event, "tag", None) is not None:
            raise _refused(f"tags ({event.tag}) are not accepted; write the plain value", event)
        if self._depth >= MAX_DEPTH:
            raise _refused(f"nested more than {MAX_DEPTH} deep", event)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refused("a key must be text, not a list or a mapping", key_node)
            key = self.construct_object(key_node)
            if not isinstance(key, str):
                raise _refused(f"the key {key_node.value} is read as {key!r}, not as text; put it in quotes", key_node)
            if key in seen:
                raise _refused(f"the key '{key}' stands twice", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except ValueError as error:  # a whole number of thousands of digits, a date like 2024-13-45
            raise _refused(str(error), node) from None


def _refused(what: str, at: Any) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, what, at.start_mark)


def _kind(raw: Any) -> str:
    return {list: "list", str: "text", bool: "truth value", int: "number", float: "number"}.get(type(raw), "value")
