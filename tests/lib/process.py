"""Processes that tests start."""
import ctypes
import signal


def die_with_parent():
    """In a child: nothing outlives a test run that is itself killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
