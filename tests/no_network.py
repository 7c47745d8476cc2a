"Switches the network off in an interpreter: only this machine can be reached. See elsewhere.py."

import socket

HERE = ("127.0.0.1", "::1", "localhost")


def refuse(name, position):
    "Replace a method of sockets by one that reaches this machine only; the address's position."
    real = getattr(socket.socket, name)

    def call(self, *words):
        if self.family in (socket.AF_INET, socket.AF_INET6) and words[position][0] not in HERE:
            raise OSError(101, "Network is unreachable")
        return real(self, *words)

    setattr(socket.socket, name, call)


refuse("connect", 0)
refuse("connect_ex", 0)
refuse("sendto", -1)
real_getaddrinfo = socket.getaddrinfo


def getaddrinfo(host, *words, **named):
    if host not in (None, "", *HERE):
        raise socket.gaierror(-3, "Temporary failure in name resolution")
    return real_getaddrinfo(host, *words, **named)


socket.getaddrinfo = getaddrinfo
