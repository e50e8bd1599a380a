"""What a user process prints: kept whole while it is little, and shown live."""

from __future__ import annotations

from workers.output import Output


def test_little_is_kept_whole_and_said_by_line():
    lines: list[str] = []
    output = Output(lines.append)
    for chunk in (b"one\ntw", b"o\r\nthr", b"ee"):
        output.feed(chunk)
    assert lines == ["one", "two"]
    output.close()
    assert lines == ["one", "two", "three"]
    assert output.content() == b"one\ntwo\r\nthree"
    assert output.last_line() == "three"


def test_of_a_lot_the_beginning_and_the_end_are_kept():
    output = Output(lambda _: None)
    output.feed(b"first\n")
    for index in range(400):
        output.feed(b"%06d" % index + b"x" * 10_000 + b"\n")
    output.feed(b"last\n")
    content = output.content()
    assert content.startswith(b"first\n000000x")
    assert content.endswith(b"last\n")
    assert b"bytes left out" in content
    assert len(content) < 1_200_000
    assert output.last_line() == "last"


def test_a_line_without_end_and_a_flood_of_lines_are_cut():
    lines: list[str] = []
    output = Output(lines.append)
    output.feed(b"y" * 100_000)
    assert len(lines[0]) == 2_000
    for _ in range(10_000):
        output.feed(b"again\n")
    assert len(lines) == 2_000
    assert "more than is shown live" in lines[-1]


def test_bytes_that_are_no_text_do_not_stop_it():
    lines: list[str] = []
    Output(lines.append).feed(b"\xff\xfe ok\n")
    assert lines[0].endswith(" ok")
