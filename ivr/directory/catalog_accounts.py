"""Callers' accounts of a catalog: numbers, phones, PINs, and the opening balance of a new one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import batched

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.domain.operations import AccountRef, Post, PostedEntry
from billing.errors import BillingError
from billing.ids import new_id
from billing.money import Micros
from billing.storage.ledger import post_batch
from billing.storage.tables import accounts
from billing.wallet import next_number
from ivr.directory.catalog_file import Catalog, CatalogAccount
from ivr.directory.pins import hash_pin, verify_pin
from ivr.directory.rows import Applied, Row, stored, write
from ivr.tables import phones, pins
