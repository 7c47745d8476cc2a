"Runs a learner's answer: for so many seconds at most, and the kernel is as it was afterwards."

import ctypes
import importlib
import os
import random
import sys
import threading
import warnings
from contextlib import contextmanager

import numpy as np
import torch

from helpers.course.settings import shell


class OutOfTime(BaseException):
    "Raised inside an answer that runs too long."


def _stop(thread):
    "End a thread, if it still runs and Python has a say in it."
    for _ in range(20):
        if not thread.is_alive():
            break
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(OutOfTime)
        )
        thread.join(0.1)


def guarded(
    function,  # without arguments
    seconds: float,  # how long it may run
):  # None, the exception it raised, or `OutOfTime`
    "Run a function in a thread, and stop it when the seconds are over or by Ctrl-C."
    outcome = {}

    def run():
        try:
            function()
            outcome["error"] = None
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        thread.join(seconds)
    finally:
        _stop(thread)
    return outcome.get("error", OutOfTime())


# What an answer may change in the kernel: how it is read, and how it is written. (Whether
# gradients are recorded is a thread's own.)
_STATE = [
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.get_rng_state, torch.set_rng_state),
    (torch.is_anomaly_enabled, torch.set_anomaly_enabled),
    (np.random.get_state, np.random.set_state),
    (random.getstate, random.setstate),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (os.getcwd, os.chdir),
]
_STATE_OF_GPU = (torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all)


def _leave():
    "What `exit()` does while an answer runs; in a notebook it would end the kernel."
    raise SystemExit


@contextmanager
def kernel_as_it_was():
    "Afterwards the kernel is as it was before."
    state = [*_STATE, _STATE_OF_GPU] if torch.cuda.is_initialized() else _STATE
    before = [(write, read()) for read, write in state]
    ipython = shell()
    if ipython:
        ipython.ask_exit = _leave
    try:
        with warnings.catch_warnings(), np.printoptions():
            yield
    finally:
        for write, value in before:
            write(value)
        if ipython:
            del ipython.ask_exit


def warm_up(
    answer,  # of a learner
):
    "Import, before the clock starts, what PyTorch imports for seconds at the first optimizer."
    if "optim" in getattr(getattr(answer, "__code__", None), "co_names", ()):
        importlib.import_module("torch._dynamo")
