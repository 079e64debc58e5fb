"""The HTTP routes as an OpenAPI 3.1 document, made of the marshmallow schemas. Needs the extra ``openapi``.

Imported only on demand: by ``flask passkey openapi``, and at the first request of the document.

.. code-block:: text

    document.py     puts the document together
    operations.py   what each route takes, answers and refuses
    answers.py      schemas of the answers
    codes.py        the codes, from errors.py
    examples.py     one of everything
"""

from __future__ import annotations

from .codes import CODES, Code
from .document import document
from .operations import OPERATIONS, Operation

__all__ = ["CODES", "OPERATIONS", "Code", "Operation", "document"]
