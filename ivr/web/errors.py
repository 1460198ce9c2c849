"""Every error becomes an answer here: problem details for the API, a page for people."""

from __future__ import annotations

import json

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from ivr.web.guard import WHO, render
from ivr.web.problems import Problem, problem_of

API: str = "/api/"

log = structlog.get_logger()


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Run the handler; one request may fail, the service may not."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return write_problem(request, problem_of(error) or _internal(request, error))
    except Exception as error:  # noqa: BLE001 - the edge: anything else would drop the connection
        return write_problem(request, problem_of(error) or _internal(request, error))


def _internal(request: web.Request, error: Exception) -> Problem:
    resource = request.match_info.route.resource
    log.error(
        "request failed",
        route=resource.canonical if resource else "none",
        method=request.method,
        exc_info=error,
    )
    return Problem(code="internal", detail="It was written down; try again in a moment.")


def write_problem(request: web.Request, problem: Problem) -> web.Response:
    """Write a problem in the form that the visitor reads."""
    if request.path.startswith(API) or "HX-Request" in request.headers:
        response = web.Response(
            text=json.dumps(problem.document()),
            content_type="application/problem+json",
            status=problem.status,
        )
    else:
        who = request.get(WHO)
        response = render(
            request,
            "error.html",
            who,
            # A choice of language does not lead back to what did not work.
            {"problem": problem, "back": who.home if who else "/"},
            status=problem.status,
        )
    response.headers.update(problem.headers)
    return response
