"""The promises of a credential repository, of one that keeps enrolment grants, and of a store of pending ceremonies.

They are tests to run on yours.

.. code-block:: python

    import pytest
    from flask_passkey.contracts import CeremonyStoreContract, CredentialRepositoryContract

    class TestMyRepository(CredentialRepositoryContract):
        @pytest.fixture
        def repository(self, tmp_path):
            return MyRepository(tmp_path)           # a new, empty one for each test

    class TestMyStore(CeremonyStoreContract):
        @pytest.fixture
        def store(self):
            return MyStore("localhost")

Every test says which promise it holds. Tests of simultaneous callers use threads. Write
``pytest.register_assert_rewrite("flask_passkey.contracts")`` in your ``conftest.py`` to see more of a failure than
"AssertionError".
"""

from __future__ import annotations

from .base import new_record
from .grants import GrantRepositoryContract, new_grant
from .repository import CredentialRepositoryContract
from .store import CeremonyOutageContract, CeremonyStoreContract, new_key

__all__ = [
    "CeremonyStoreContract",
    "CeremonyOutageContract",
    "CredentialRepositoryContract",
    "GrantRepositoryContract",
    "new_grant",
    "new_key",
    "new_record",
]
