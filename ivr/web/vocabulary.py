"""Words of the database as people read them; they go through the catalog where they are shown."""

from __future__ import annotations

from typing import Final

WORDS: Final = {
    # accounts
    "active": "Active",
    "blocked": "Blocked",
    "prepaid": "Prepaid",
    "postpaid": "Postpaid",
    # parties
    "provider": "Provider",
    "client": "Client",
    "reseller": "Reseller",
    "referrer": "Referrer",
    "caller": "Caller",
    "operator": "Operator",
    "tax": "Tax",
    "bank": "Bank",
    "revenue": "Revenue",
    "lost": "Lost",
    # vouchers and batches
    "fresh": "Fresh",
    "redeemed": "Redeemed",
    "expired": "Expired",
    "disabled": "Called back",
    # invoices, payouts, subscriptions
    "open": "Open",
    "draft": "Draft",
    "issued": "Issued",
    "sent": "Sent",
    "due": "Due",
    "overdue": "Overdue",
    "paid": "Paid",
    "unpaid": "Unpaid",
    "void": "Void",
    "credited": "Credited",
    "requested": "Requested",
    "approved": "Approved",
    "rejected": "Rejected",
    "past_due": "Past due",
    "cancelled": "Cancelled",
    "ended": "Ended",
    "trial": "Trial",
    "fee": "Fee",
    "usage": "Usage",
    "overage": "Overage",
    "discount": "Discount",
    "late_fee": "Late fee",
    "payment": "Payment",
    "credit_note": "Credit note",
    # callbacks, deliveries, agents
    "waiting": "Waiting",
    "calling": "Calling",
    "done": "Done",
    "failed": "Failed",
    "pending": "Pending",
    "delivered": "Delivered",
    "available": "Available",
    "paused": "Paused",
    "busy": "Busy",
    "logged_out": "Logged out",
    # lines
    "local": "Local",
    "toll_free": "Toll-free",
    "premium": "Premium",
    "optional": "Optional",
    "required": "Required",
    "never": "Never",
}
