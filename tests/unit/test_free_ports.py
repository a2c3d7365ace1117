"""Ports that tests ask for, without anybody who listens on them yet."""

import socket
from collections import deque

import pytest

from tests import operator_process
from tests.operator_process import free_port


def test_a_port_is_given_once_although_nobody_listens_on_it_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    first = free_port()
    monkeypatch.setattr(operator_process, "_PORTS", range(first, first + 1))
    with pytest.raises(RuntimeError, match="in use"):
        free_port()


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_a_server_can_listen_on_the_port(host: str) -> None:
    with socket.socket() as listener:
        listener.bind((host, free_port(host)))
        listener.listen()


def test_at_most_so_many_ports_are_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    reservations: deque[socket.socket] = deque()
    monkeypatch.setattr(operator_process, "_RESERVATIONS", reservations)
    monkeypatch.setattr(operator_process, "_MAX_RESERVATIONS", 2)
    ports = [free_port() for _ in range(3)]
    assert [reservation.getsockname()[1] for reservation in reservations] == ports[1:]
    for reservation in reservations:
        reservation.close()
