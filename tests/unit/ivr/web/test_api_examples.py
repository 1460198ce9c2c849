"""The examples on the page of the API can be sent as they stand there."""

from __future__ import annotations

import re

from ivr.web.api.gate import BASE
from ivr.web.api.openapi import document
from ivr.web.api.page import SAMPLES, example_of, kind_of
from ivr.web.api.table import OPERATIONS

DOCUMENT = document(OPERATIONS)


def test_what_stands_for_a_part_of_a_path_fits_it():
    wrong = [
        f"{BASE}{path}: {each['name']}"
        for path, item in DOCUMENT["paths"].items()
        for operation in item.values()
        for each in operation["parameters"]
        if each["in"] == "path"
        and not re.search(each["schema"]["pattern"], SAMPLES.get(each["name"], SAMPLES["call_id"]))
    ]

    assert not wrong


def test_a_list_of_things_names_their_fields():
    schemas = DOCUMENT["components"]["schemas"]
    shares = schemas["ClientEdit"]["properties"]["shares"]

    assert kind_of(shares, schemas) == "list of {party, account, basis_points, fixed_fee}"
    assert example_of(shares, schemas)[0]["party"] == "provider"
