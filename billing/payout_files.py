"""Approved payouts as files: CSV for people, ISO 20022 pain.001.001.09 for the bank.

    Document / CstmrCdtTrfInitn
        GrpHdr    MsgId CreDtTm NbOfTxs CtrlSum InitgPty
        PmtInf    PmtInfId PmtMtd NbOfTxs CtrlSum PmtTpInf ReqdExctnDt Dbtr DbtrAcct DbtrAgt ChrgBr
            CdtTrfTxInf   PmtId Amt CdtrAgt Cdtr CdtrAcct RmtInf      -- one per payout

The end-to-end id is the payout's id, so the bank's answer finds it again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

from billing.clock import moment_of
from billing.domain.payouts import BankAccount
from billing.errors import InvalidInput
from billing.money import format_amount
from billing.payouts import Payout

NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
COLUMNS: Final = (
    "id", "party", "name", "iban", "bic", "amount", "currency", "status", "requested_at",
)  # fmt: skip
# Characters that every bank's system takes (SEPA implementation guidelines).
_PLAIN: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ "
)


def csv_file(listed: Sequence[Payout]) -> str:
    """Write payouts as CSV with a header; amounts are decimal strings."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for payout in listed:
        writer.writerow(
            (
                payout.id,
                f"{payout.party.kind}:{payout.party.code}",
                _harmless(payout.bank.name),
                payout.bank.iban,
                payout.bank.bic,
                format_amount(payout.amount),
                payout.party.currency,
                payout.status,
                moment_of(payout.requested_us).isoformat(),
            )
        )
    return text.getvalue()


def pain_001(
    listed: Sequence[Payout], *, debtor: BankAccount, message_id: str, at: datetime
) -> bytes:
    """Write payouts of one currency as a credit transfer for the bank.

    Args:
        listed: Approved payouts.
        debtor: Our own account.
        message_id: Unique for the bank; at most 35 characters are sent.
        at: When the file is made; its day is the day of execution.

    Raises:
        InvalidInput: none, several currencies, or an account without name or IBAN.

    """
    currencies = {payout.party.currency for payout in listed}
    if len(currencies) != 1:
        raise InvalidInput(reason="a payment file holds payouts of exactly one currency")
    for payout in listed:
        if not payout.bank.complete:
            raise InvalidInput(reason=f"payout {payout.id} has no name or IBAN to go to")
    if not debtor.complete:
        raise InvalidInput(reason="the paying account needs a name and an IBAN")
    (currency,) = currencies
    count = str(len(listed))
    total = format_amount(sum(payout.amount for payout in listed))
    document = ET.Element("Document", xmlns=NAMESPACE)
    initiation = ET.SubElement(document, "CstmrCdtTrfInitn")
    _header(initiation, debtor, message_id, at, count, total)
    info = ET.SubElement(initiation, "PmtInf")
    _texts(info, PmtInfId=message_id[:35], PmtMtd="TRF", NbOfTxs=count, CtrlSum=total)
    if currency == "EUR":
        ET.SubElement(_path(info, "PmtTpInf", "SvcLvl"), "Cd").text = "SEPA"
    ET.SubElement(_path(info, "ReqdExctnDt"), "Dt").text = at.date().isoformat()
    _party(info, "Dbtr", debtor)
    _agent(info, "DbtrAgt", debtor)
    if currency == "EUR":
        ET.SubElement(info, "ChrgBr").text = "SLEV"
    for payout in listed:
        _transfer(info, payout)
    ET.indent(document)
    text: bytes = ET.tostring(document, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _header(
    parent: ET.Element, debtor: BankAccount, message_id: str, at: datetime, count: str, total: str
) -> None:
    header = ET.SubElement(parent, "GrpHdr")
    made = at.isoformat(timespec="seconds")
    _texts(header, MsgId=message_id[:35], CreDtTm=made, NbOfTxs=count, CtrlSum=total)
    ET.SubElement(_path(header, "InitgPty"), "Nm").text = _plain(debtor.name)


def _transfer(parent: ET.Element, payout: Payout) -> None:
    transfer = ET.SubElement(parent, "CdtTrfTxInf")
    ET.SubElement(_path(transfer, "PmtId"), "EndToEndId").text = payout.id.replace("-", "")
    amount = ET.SubElement(_path(transfer, "Amt"), "InstdAmt", Ccy=payout.party.currency)
    amount.text = format_amount(payout.amount)
    if payout.bank.bic:
        _agent(transfer, "CdtrAgt", payout.bank)
    _party(transfer, "Cdtr", payout.bank)
    ET.SubElement(_path(transfer, "RmtInf"), "Ustrd").text = f"Payout {payout.id}"


def _party(parent: ET.Element, tag: str, account: BankAccount) -> None:
    ET.SubElement(_path(parent, tag), "Nm").text = _plain(account.name)
    ET.SubElement(_path(parent, f"{tag}Acct", "Id"), "IBAN").text = account.iban


def _agent(parent: ET.Element, tag: str, account: BankAccount) -> None:
    institution = _path(parent, tag, "FinInstnId")
    if account.bic:
        ET.SubElement(institution, "BICFI").text = account.bic
    else:
        ET.SubElement(_path(institution, "Othr"), "Id").text = "NOTPROVIDED"


def _path(parent: ET.Element, *tags: str) -> ET.Element:
    for tag in tags:
        parent = ET.SubElement(parent, tag)
    return parent


def _texts(parent: ET.Element, **texts: str) -> None:
    for tag, text in texts.items():
        ET.SubElement(parent, tag).text = text


def _plain(text: str) -> str:
    return "".join(character if character in _PLAIN else "?" for character in text)


def _harmless(cell: str) -> str:
    """Begin a text with a quote where a spreadsheet would compute it."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else cell
