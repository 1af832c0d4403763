"""Ports that are known before anyone listens on them, or while nobody does."""
import socket


def hold(host="127.0.0.1", port=0):
    """A socket bound to the port, by default a free one, that never listens. As long as it is
    open, the kernel gives the port to nobody who asks for any; who asks for it by its number, with
    SO_REUSEADDR or SO_REUSEPORT as servers do, listens there alone."""
    holder = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        holder.setsockopt(socket.SOL_SOCKET, option, 1)
    holder.bind((host, port))
    return holder
