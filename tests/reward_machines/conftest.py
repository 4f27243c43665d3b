"""Torch on one thread: spinning threads of several processes on two cores made a ten-second test take minutes."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    """One torch thread for these tests."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
