"""One tree of errors: what each says on the wire, and which of them end the connection."""

import inspect

import pytest

from protocol.codes import CloseCode, ErrorCode
from ws_service import errors
from ws_service.errors import ServiceError

CLASSES = [
    one
    for _, one in inspect.getmembers(errors, inspect.isclass)
    if issubclass(one, ServiceError) and one is not ServiceError
]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_has_a_code_of_the_wire_and_carries_its_details(error):
    raised = error("what happened", {"path": "data"})
    assert isinstance(raised.code, ErrorCode)
    assert raised.message == str(raised) == "what happened"
    assert raised.details == {"path": "data"}
    assert error("x").details == {}


def test_an_error_ends_the_connection_only_where_capacity_a_reader_or_a_restart_does():
    ending = {one.__name__: int(one.close_code) for one in CLASSES if one.close_code is not None}
    assert ending == {"AtCapacity": 4429, "NotReady": 1012, "SlowReader": 4408}


def test_codes_are_those_that_clients_know():
    assert {one.__name__: one.code.value for one in CLASSES} == {
        "AtCapacity": "RATE_LIMIT_EXCEEDED",
        "AvatarBusy": "INVALID_MESSAGE",
        "AvatarDamaged": "PROCESSING_ERROR",
        "AvatarExists": "INVALID_MESSAGE",
        "AvatarInUse": "INVALID_MESSAGE",
        "AvatarNotFound": "MODEL_NOT_FOUND",
        "DiskFull": "INTERNAL_ERROR",
        "EngineUnavailable": "PROCESSING_ERROR",
        "InvalidMessage": "INVALID_MESSAGE",
        "InvalidSession": "INVALID_SESSION",
        "JobNotFound": "INVALID_MESSAGE",
        "JobsFull": "RATE_LIMIT_EXCEEDED",
        "NoVoice": "SERVICE_NOT_READY",
        "NotReady": "SERVICE_NOT_READY",
        "ProcessingFailed": "PROCESSING_ERROR",
        "QueueFull": "RATE_LIMIT_EXCEEDED",
        "SessionAmbiguous": "INVALID_SESSION",
        "SessionNotFound": "INVALID_SESSION",
        "SlowReader": "RATE_LIMIT_EXCEEDED",
        "SpeakersFull": "RATE_LIMIT_EXCEEDED",
        "VoiceFailed": "PROCESSING_ERROR",
        "VoiceNotFound": "INVALID_MESSAGE",
        "VoiceTimeout": "PROCESSING_ERROR",
    }


def test_what_a_caller_did_is_told_by_4xx_and_what_the_service_could_not_do_by_5xx():
    assert {one.__name__: one.http_status for one in CLASSES if one.http_status != 500} == {
        "AvatarBusy": 409,
        "AvatarDamaged": 409,
        "AvatarExists": 409,
        "AvatarInUse": 409,
        "AvatarNotFound": 404,
        "DiskFull": 507,
        "EngineUnavailable": 503,
        "InvalidMessage": 400,
        "JobNotFound": 404,
        "JobsFull": 429,
        "NoVoice": 503,
        "NotReady": 503,
        "QueueFull": 429,
        "SessionAmbiguous": 409,
        "SessionNotFound": 404,
        "SpeakersFull": 429,
        "VoiceFailed": 502,
        "VoiceNotFound": 404,
        "VoiceTimeout": 504,
    }


def test_an_error_of_no_class_is_internal():
    assert ServiceError("?").code is ErrorCode.INTERNAL_ERROR
    assert ServiceError("?").close_code is None


@pytest.mark.parametrize("error", [errors.PeerGone, errors.StartError])
def test_what_no_client_can_be_told_is_no_error_of_the_wire(error):
    assert not issubclass(error, ServiceError)


def test_close_codes_are_of_the_wire():
    assert all(isinstance(one.close_code, CloseCode) for one in CLASSES if one.close_code is not None)
