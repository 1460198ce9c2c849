"""No error is forgotten: each has a status and words, and none tells what it should not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.exc import OperationalError

from billing.errors import BillingError
from ivr.web.app import make_web
from ivr.web.problems import KNOWN, problem_of


def _family(kind: type[BillingError]) -> Iterator[type[BillingError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)


def test_every_error_of_the_library_has_a_status():
    assert callable(make_web)  # all modules of the web are loaded, with their own errors

    forgotten = {kind.__name__ for kind in _family(BillingError) if kind.code not in KNOWN}

    assert not forgotten


def test_a_database_error_tells_nothing_of_the_database():
    error = OperationalError("SELECT secret FROM pins", {}, Exception("host 10.0.0.1"))

    problem = problem_of(error)

    assert problem is not None
    assert problem.status == 503
    assert "secret" not in str(problem.document())
    assert "10.0.0.1" not in str(problem.document())


def test_an_unexpected_error_is_nobodys_business():
    assert problem_of(KeyError("password")) is None


@pytest.mark.parametrize("code", sorted(KNOWN))
def test_titles_are_sentences_without_a_full_stop(code: str):
    status, title = KNOWN[code]

    assert 400 <= status < 600
    assert title[0].isupper()
    assert not title.endswith(".")
