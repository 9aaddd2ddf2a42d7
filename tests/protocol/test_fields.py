from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from protocol.fields import ChunkBytes, MediaBytes, WireModel
from protocol.timing import MAX_CHUNK_BYTES

CHUNK: TypeAdapter[bytes] = TypeAdapter(ChunkBytes)
MEDIA: TypeAdapter[bytes] = TypeAdapter(MediaBytes)


@given(st.binary(max_size=3000))
def test_bytes_survive_the_journey_as_base64(data: bytes) -> None:
    text = MEDIA.dump_json(data)
    assert text == b'"' + b64encode(data) + b'"'
    assert MEDIA.validate_json(text) == data
    assert CHUNK.validate_json(text) == data


@pytest.mark.parametrize("text", ["A", "AAA", "AA=A", "====", "AA==AA==", "AAAA\n", "A-_A", "é===", " AAAA"])
def test_what_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="base64"):
        CHUNK.validate_python(text)


def test_a_chunk_has_a_bound_that_is_exact() -> None:
    assert len(CHUNK.validate_python(b64encode(bytes(MAX_CHUNK_BYTES)).decode())) == MAX_CHUNK_BYTES
    for size in (MAX_CHUNK_BYTES + 1, MAX_CHUNK_BYTES + 4000):
        with pytest.raises(ValidationError, match=str(MAX_CHUNK_BYTES)):
            CHUNK.validate_python(b64encode(bytes(size)).decode())


def test_numbers_are_not_text_and_unknown_fields_are_ignored() -> None:
    class Model(WireModel):
        number: int

    assert Model.model_validate_json('{"number":1,"other":[{}]}').number == 1
    for wrong in ('{"number":"1"}', '{"number":true}', '{"number":1.5}', '{"number":null}', '{"number":[]}'):
        with pytest.raises(ValidationError):
            Model.model_validate_json(wrong)
