"""Rows of frames: the body of an HTTP exchange."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sente.errors import ProtocolError
from sente.protocol.framing import read_row, write_row


@given(st.lists(st.text() | st.binary()))
def test_what_is_written_is_read(frames: list[str | bytes]) -> None:
    assert read_row(write_row(frames)) == frames


def test_the_bytes() -> None:
    assert write_row(["é", b"\x00"]) == b"\x80\x00\x00\x02\xc3\xa9\x00\x00\x00\x01\x00"


@pytest.mark.parametrize("body", [b"\x00", b"\x00\x00\x00\x02a", b"\x80\x00\x00\x01\xff", b"\xff\xff\xff\xffabc"])
def test_what_is_no_row(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_row(body)


@given(st.binary())
def test_only_the_documented_error_comes_out(body: bytes) -> None:
    with suppress(ProtocolError):
        assert write_row(read_row(body)) == body
