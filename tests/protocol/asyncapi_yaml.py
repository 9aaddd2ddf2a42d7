"""Writes the description of the socket: `python -m tests.protocol.asyncapi_yaml > asyncapi.yaml`."""

import sys

import yaml

from protocol.asyncapi import asyncapi_document

REMARK = "# Made from protocol/ by `python -m tests.protocol.asyncapi_yaml > asyncapi.yaml`; a test compares the two.\n"


class Dumper(yaml.SafeDumper):
    """Texts of several lines as such; no anchors for what stands there twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, _text)


def asyncapi_yaml() -> str:
    """The whole file."""
    return REMARK + yaml.dump(asyncapi_document(), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    sys.stdout.write(asyncapi_yaml())
