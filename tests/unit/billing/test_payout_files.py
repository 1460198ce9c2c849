from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from billing.domain.operations import AccountRef
from billing.domain.payouts import BankAccount, Payable, PayoutStatus, PayoutTerms, is_iban
from billing.errors import InvalidInput
from billing.payout_files import NAMESPACE, csv_file, pain_001
from billing.payouts import Payout

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
DEBTOR = BankAccount(name="Provider Ltd", iban="DE89370400440532013000", bic="COBADEFFXXX")
IBANS = ("LT121000011101001000", "GB82WEST12345698765432")


def payout(
    number: int, *, name: str = "Acme", iban: str = IBANS[0], currency: str = "EUR"
) -> Payout:
    return Payout(
        id=f"01935c3a-0000-7000-8000-00000000000{number}",
        party=AccountRef(kind="client", code="acme", currency=currency),
        amount=7_000_000 + number * 10_000,
        status=PayoutStatus.APPROVED,
        bank=BankAccount(name=name, iban=iban),
        requested_us=0,
        requested_by="acme",
        decided_by="op",
        paid_us=None,
        note=None,
    )


def order(element: ET.Element) -> list[str]:
    return [child.tag.removeprefix(f"{{{NAMESPACE}}}") for child in element]


def test_a_bank_file_has_the_elements_in_the_order_of_the_standard() -> None:
    text = pain_001([payout(1), payout(2, iban=IBANS[1])], debtor=DEBTOR, message_id="m1", at=AT)

    root = ET.fromstring(text)
    (initiation,) = root
    header, info = initiation
    transfer = info[-1]
    assert order(header) == ["MsgId", "CreDtTm", "NbOfTxs", "CtrlSum", "InitgPty"]
    assert order(info) == [
        "PmtInfId", "PmtMtd", "NbOfTxs", "CtrlSum", "PmtTpInf", "ReqdExctnDt", "Dbtr", "DbtrAcct",
        "DbtrAgt", "ChrgBr", "CdtTrfTxInf", "CdtTrfTxInf",
    ]  # fmt: skip
    assert order(transfer) == ["PmtId", "Amt", "Cdtr", "CdtrAcct", "RmtInf"]
    texts = {element.tag.rpartition("}")[2]: element.text for element in root.iter()}
    assert (texts["NbOfTxs"], texts["CtrlSum"]) == ("2", "14.03")
    assert texts["EndToEndId"] == "01935c3a000070008000000000000002"
    assert texts["IBAN"] == IBANS[1]
    assert texts["Dt"] == "2026-11-20"


def test_a_payment_in_another_currency_is_no_sepa_payment() -> None:
    text = pain_001([payout(1, currency="USD")], debtor=DEBTOR, message_id="m1", at=AT)

    assert b"SEPA" not in text
    assert b'Ccy="USD">7.01<' in text


@pytest.mark.parametrize(
    ("listed", "debtor"),
    [
        ([], DEBTOR),
        ([payout(1), payout(2, currency="USD")], DEBTOR),
        ([payout(1, iban="")], DEBTOR),
        ([payout(1)], BankAccount()),
    ],
)
def test_a_file_that_a_bank_would_refuse_is_not_written(
    listed: list[Payout], debtor: BankAccount
) -> None:
    with pytest.raises(InvalidInput):
        pain_001(listed, debtor=debtor, message_id="m1", at=AT)


def test_no_name_becomes_a_formula_or_markup() -> None:
    listed = [payout(1, name="=cmd()<b>")]

    (row,) = csv.DictReader(io.StringIO(csv_file(listed)))
    text = pain_001(listed, debtor=DEBTOR, message_id="m1", at=AT)

    assert (row["name"], row["amount"]) == ("'=cmd()<b>", "7.01")
    assert b"<Nm>?cmd()?b?</Nm>" in text


def test_the_check_digits_of_an_iban_are_checked() -> None:
    wrong = ["LT131000011101001000", "LT12", "", "lt121000011101001000"]

    assert all(is_iban(iban) for iban in IBANS)
    assert not any(is_iban(iban) for iban in wrong)


@pytest.mark.parametrize(
    "wrong", [{"iban": "LT00"}, {"bic": "x"}, {"name": "a" * 71}, {"name": "a\nb"}]
)
def test_a_bank_account_that_cannot_be_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        BankAccount(**wrong)


def test_terms_that_nobody_can_have_are_refused() -> None:
    for wrong in ({"hold_back_days": -1}, {"hold_back_days": 367}, {"minimum": -1}):
        with pytest.raises(InvalidInput):
            PayoutTerms(**wrong)


def test_what_is_owed_by_a_party_is_not_payable() -> None:
    assert Payable(posted=-5, pending=0, requested=0).payable == 0
    assert Payable(posted=29_999, pending=-7, requested=0).payable == 20_000
