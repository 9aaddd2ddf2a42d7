from protocol.codes import CloseCode, CloseReason, ErrorCode


def test_the_wire_has_eight_error_codes_and_each_is_its_own_name() -> None:
    assert len(ErrorCode) == 8
    assert all(code.value == code.name for code in ErrorCode)


def test_all_close_codes_of_the_protocol_are_there() -> None:
    assert set(CloseCode) >= {1000, 1007, 1012, 4401, 4403, 4408, 4429}


def test_close_reasons_are_the_protocols() -> None:
    assert set(CloseReason) == {"client_request", "server_shutdown", "timeout", "error"}
