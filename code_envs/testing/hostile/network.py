"""Programs that reach for the network. All addresses are this machine's planted listeners, or for documentation."""

from __future__ import annotations

from code_envs.testing.hostile.program import denied, probe

__all__ = ["PROGRAMS"]

_CONNECT = """
import socket, ctypes
def f(x):
    got = []
    for family, address in ((socket.AF_INET, ("127.0.0.1", {port})), (socket.AF_INET, ("127.0.0.1", {datagrams})),
                            (socket.AF_UNIX, "{unix}"), (socket.AF_UNIX, "\\0{abstract}")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                with socket.socket(family, kind) as each:
                    each.connect(address)
                    each.send(b"out")
                    got.append(str(address))
            except OSError:
                pass
    return got
"""
_PAIR = """
import array, os, socket
def f(x):
    got = []
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        try: ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        except OSError: continue
        for address in ("{unix}", "\\0{abstract}"):
            for act in (lambda: ours.connect(address), lambda: ours.sendto(b'out', address),
                        lambda: ours.sendmsg([b'out'], [], 0, address), lambda: ours.bind("\\0mine")):
                try: act(); got.append(f'{kind} {address!r}')
                except OSError: pass
    return got
"""
_LIBRARIES = """
import os
def f(x):
    got = []
    def web():
        import urllib.request
        return urllib.request.urlopen('http://127.0.0.1:{port}/', timeout=0.2).status
    def asynchronous():
        import asyncio
        return asyncio.run(asyncio.open_connection('127.0.0.1', {port}))
    def names():
        import socket
        return socket.getaddrinfo('localhost', {port}), socket.create_connection(('localhost', {port}), 0.2)
    def mail():
        import smtplib
        return smtplib.SMTP('127.0.0.1', {port}, timeout=0.2)
    def remote():
        import socket, xmlrpc.client
        socket.setdefaulttimeout(0.2)
        return xmlrpc.client.ServerProxy('http://127.0.0.1:{port}').system.listMethods()
    for act in (web, asynchronous, names, mail, remote):
        try: got.append(repr(act()))
        except BaseException: pass
    return got
"""

PROGRAMS = (
    probe("connect", "reach a listener of the machine", _CONNECT),
    probe("socket-pair", "reach a listener from a pair of sockets that is allowed", _PAIR),
    probe("libraries", "reach a listener with what the standard library has", _LIBRARIES),
    denied(
        "documentation-addresses",
        "have a route out of the machine; nothing is sent",
        "socket",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 53))",
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).connect(('2001:db8::1', 53))",
        "socket.socket(socket.AF_INET6, socket.SOCK_STREAM).connect(('::1', {port}))",
    ),
    denied(
        "listen",
        "wait for others to connect",
        "socket",
        "socket.create_server(('127.0.0.1', 0)).getsockname()",
        "socket.socket(socket.AF_UNIX).bind('listener')",
        "socket.socket(socket.AF_UNIX).bind('\\0listener')",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(('127.0.0.1', 0))",
    ),
    denied(
        "raw-sockets",
        "sockets that see or change the machine's network",
        "socket",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 768)",
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
        "socket.socket(38, socket.SOCK_SEQPACKET)",
        "socket.socket(40, socket.SOCK_STREAM)",
        "socket.if_nameindex()",
    ),
    denied(
        "engine",
        "ask the container engine for a container",
        "socket",
        "socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')",
        "socket.socket(socket.AF_UNIX).connect('/run/containerd/containerd.sock')",
        "socket.socket(socket.AF_UNIX).connect('/run/dbus/system_bus_socket')",
        "socket.socket(socket.AF_UNIX).connect('/dev/log')",
    ),
    denied(
        "pairs-of-families",
        "pairs of sockets that are no Unix sockets",
        "socket",
        "socket.socketpair(socket.AF_INET)",
        "check(libc.socketpair(16, 3, 0, (ctypes.c_int * 2)()))",
        "check(libc.socketpair(30, 1, 0, (ctypes.c_int * 2)()))",
    ),
)
