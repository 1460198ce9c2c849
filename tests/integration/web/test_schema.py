"""The API keeps what its OpenAPI document promises: generated requests, good and bad, per role.

Schemathesis reads the document as a stranger does and asks for everything in it, in ways that fit
the document and in ways that break it. Every answer must be one that the document names, and every
operation must answer every role. More of it: TALKMETER_SCHEMA_EXAMPLES=200.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from dataclasses import dataclass, field

import pytest
import schemathesis
from aiohttp.test_utils import TestServer
from schemathesis.config import (
    ChecksConfig,
    CoveragePhaseConfig,
    ExamplesPhaseConfig,
    FuzzingPhaseConfig,
    GenerationConfig,
    OperationConfig,
    OperationsConfig,
    PhasesConfig,
    ProjectConfig,
    SchemathesisConfig,
    SimpleCheckConfig,
    StatefulPhaseConfig,
)
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from schemathesis.filters import FilterSet
from schemathesis.generation import GenerationMode

from ivr.web.api.gate import BASE
from ivr.web.api.table import OPERATIONS
from ivr.web.scope import Role
from tests.site import CLI_TOKEN, Site

SEED = 20_261_130
EXAMPLES = int(os.environ.get("TALKMETER_SCHEMA_EXAMPLES", "3"))
LONG = "TALKMETER_SCHEMA_EXAMPLES" in os.environ
BOTH = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@dataclass
class Seen:
    """What a run did and found."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)


def _generation(*modes: GenerationMode) -> GenerationConfig:
    return GenerationConfig(
        modes=list(modes),
        max_examples=EXAMPLES,
        no_shrink=True,
        deterministic=True,
        database="none",
    )


def _phases(coverage: GenerationConfig, *, whole: bool) -> PhasesConfig:
    generation = _generation(*BOTH)
    return PhasesConfig(
        examples=ExamplesPhaseConfig(enabled=whole, generation=generation),
        # One method that a path does not have stands for all of them, unless there is time.
        coverage=CoveragePhaseConfig(
            enabled=whole,
            generation=coverage,
            unexpected_methods=None if LONG else {"TRACE"},
        ),
        fuzzing=FuzzingPhaseConfig(generation=generation),
        stateful=StatefulPhaseConfig(enabled=whole, generation=generation, max_steps=6),
    )


# Wrong tokens of one network are limited, and the walk of tenants tries each operation without one.
CHECKS = ChecksConfig(ignored_auth=SimpleCheckConfig(enabled=False))


def _config(token: str, *, whole: bool) -> SchemathesisConfig:
    config = SchemathesisConfig(seed=SEED)
    config.projects.default = ProjectConfig(
        headers={"Authorization": f"Bearer {token}"},
        continue_on_failure=True,
        checks=CHECKS,
        generation=_generation(*BOTH),
        phases=_phases(_generation(*BOTH), whole=whole),
    )
    return config


def _reads(*, whole: bool) -> OperationsConfig:
    """All queries are read in one place: a few wrong ones of each operation will do."""
    reads = FilterSet()
    reads.include(method="GET")
    config = OperationConfig(
        filter_set=reads,
        checks=CHECKS,
        generation=_generation(*BOTH),
        phases=_phases(_generation(GenerationMode.POSITIVE), whole=whole),
    )
    return OperationsConfig(operations=[config])


def run(url: str, token: str, role: Role) -> Seen:
    """Ask for everything that is for a role, in this thread; that others get 403 is walked."""
    whole = LONG or role is Role.OPERATOR
    schema = schemathesis.openapi.from_url(
        f"{url}{BASE}/openapi.json", config=_config(token, whole=whole)
    )
    if not LONG:
        schema = schema.include(operation_id=[one.name for one in OPERATIONS if role in one.roles])
        # Not at the start, where it would count as a choice of operations.
        schema.config.operations = _reads(whole=whole)
    if role is not Role.OPERATOR:
        # It would find the run's own key in the list of keys, and everything after it is a 401.
        schema = schema.exclude(operation_id="revokeKey")
    schema.config.base_url = f"{url}{BASE}"
    seen = Seen()
    for event in from_schema(schema).execute():
        if isinstance(event, NonFatalError | FatalError):
            what = event.value if isinstance(event, NonFatalError) else event.exception
            seen.failures[f"error {event}"] = str(what)
        if isinstance(event, ScenarioFinished):
            _note(seen, event)
    return seen


def _cannot_be(event: ScenarioFinished, case_id: str) -> bool:
    """Tell whether an answer says that a request fits the document and still cannot be.

    So does 412: nobody guesses the tag of what is changed.
    """
    response = event.recorder.interactions[case_id].response
    if response is None:
        return False
    body = response.content or b""
    meant = response.status_code == 422 and b'"code": "invalid"' not in body
    edited = b'"field": "notation' in body or b'"field": "version' in body
    return meant or edited or response.status_code == 412


def _note(seen: Seen, event: ScenarioFinished) -> None:
    for interaction in event.recorder.interactions.values():
        seen.requests += 1
        if interaction.response is not None:
            seen.statuses[interaction.response.status_code] += 1
    for case_id, checks in event.recorder.checks.items():
        for check in checks:
            if check.failure_info is not None and not _cannot_be(event, case_id):
                failure = check.failure_info.failure
                place = f"{failure.operation}: {failure.title}"
                seen.failures.setdefault(
                    place, f"{failure.message}\n{check.failure_info.code_sample}"
                )


@pytest.mark.parametrize(
    ("role", "subject"),
    [(Role.OPERATOR, None), (Role.CLIENT, "acme"), (Role.CALLER, "alice")],
)
async def test_every_answer_is_one_that_the_document_names(
    site: Site, server: TestServer, role: Role, subject: str | None
):
    await site.call()
    # That of the command line is in no list: the run cannot revoke it.
    token = CLI_TOKEN if role is Role.OPERATOR else await site.token(role, subject)

    seen = await asyncio.to_thread(run, str(server.make_url("")), token, role)

    assert not seen.failures, "\n\n".join(f"## {k}\n{v}" for k, v in seen.failures.items())
    assert seen.requests > 60
    # Each case was looked at: none was turned away for its token, but those that brought none.
    assert seen.statuses[429] == 0
    assert seen.statuses[401] <= len(OPERATIONS)
