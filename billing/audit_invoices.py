"""Proofs of invoices, payments, credit notes and vouchers: what each says is what was booked."""

from __future__ import annotations

from typing import Final

_DOCUMENTS: Final = (
    "SELECT series, year, sequence FROM invoices "
    "UNION ALL SELECT series, year, sequence FROM credit_notes"
)

# A check that finds nothing has proved its name.
QUERIES: Final = {
    "the lines of each invoice add up to its totals": (
        "SELECT v.number, v.net, v.tax, v.total FROM invoices v "
        "LEFT JOIN invoice_lines l ON l.invoice = v.number "
        "GROUP BY v.number, v.net, v.tax, v.total "
        "HAVING coalesce(sum(l.net), 0) <> v.net OR coalesce(sum(l.tax), 0) <> v.tax "
        "OR v.net + v.tax <> v.total"
    ),
    "each invoice asks for the transfers that it bills": (
        "SELECT v.number, v.total, sum(e.amount) FROM invoices v "
        "LEFT JOIN invoice_items i ON i.invoice = v.number AND i.account = v.account "
        "LEFT JOIN accounts a ON a.kind = 'caller' AND a.code = v.account "
        "LEFT JOIN entries e ON e.transfer_id = i.transfer_id AND e.account_id = a.id "
        "GROUP BY v.number, v.total HAVING coalesce(-sum(e.amount), 0) <> v.total"
    ),
    "the numbers of invoices and credit notes have no gap": (
        "SELECT d.series, d.year, count(*), max(d.sequence) "  # noqa: S608 - a text of ours
        f"FROM ({_DOCUMENTS}) d LEFT JOIN invoice_counters c "
        "ON c.series = d.series AND c.year = d.year GROUP BY d.series, d.year, c.last "
        "HAVING min(d.sequence) <> 1 OR max(d.sequence) <> count(*) "
        "OR coalesce(c.last, 0) <> max(d.sequence) "
        "UNION ALL SELECT c.series, c.year, 0, c.last FROM invoice_counters c "
        f"WHERE c.last > 0 AND NOT EXISTS (SELECT 1 FROM ({_DOCUMENTS}) d "
        "WHERE d.series = c.series AND d.year = c.year)"
    ),
    "no transfer pays more than it brought": (
        "SELECT p.transfer_id, sum(p.amount) FROM invoice_allocations p "
        "GROUP BY p.transfer_id HAVING sum(p.amount) > ("
        "SELECT coalesce(sum(e.amount), 0) FROM entries e JOIN accounts a ON a.id = e.account_id "
        "WHERE e.transfer_id = p.transfer_id AND a.kind = 'caller')"
    ),
    "each transfer pays invoices of its own account": (
        "SELECT p.transfer_id, p.invoice FROM invoice_allocations p "
        "JOIN invoices v ON v.number = p.invoice WHERE NOT EXISTS ("
        "SELECT 1 FROM entries e JOIN accounts a ON a.id = e.account_id "
        "WHERE e.transfer_id = p.transfer_id AND a.kind = 'caller' AND a.code = v.account "
        "AND a.currency = v.currency)"
    ),
    "no invoice is paid more than it asks": (
        "SELECT v.number, v.total, sum(p.amount) FROM invoices v "
        "JOIN invoice_allocations p ON p.invoice = v.number "
        "GROUP BY v.number, v.total HAVING sum(p.amount) > v.total"
    ),
    "each credit note was booked to the account of its invoice": (
        "SELECT n.number, n.total FROM credit_notes n JOIN invoices v ON v.number = n.invoice "
        "WHERE NOT EXISTS (SELECT 1 FROM transfers t JOIN entries e ON e.transfer_id = t.id "
        "JOIN accounts a ON a.id = e.account_id WHERE t.id = n.transfer_id "
        "AND t.kind = 'credit_note' AND a.kind = 'caller' AND a.code = v.account "
        "AND e.amount = n.total)"
    ),
    "no more is credited than was billed": (
        "SELECT v.number, v.total, sum(n.total) FROM invoices v "
        "JOIN credit_notes n ON n.invoice = v.number "
        "GROUP BY v.number, v.total HAVING sum(n.total) > v.total"
    ),
    "each used voucher became one transfer of its worth": (
        "SELECT v.batch, v.serial FROM vouchers v JOIN voucher_batches b ON b.id = v.batch "
        "WHERE v.used_us IS NOT NULL AND NOT EXISTS ("
        "SELECT 1 FROM transfers t JOIN entries e ON e.transfer_id = t.id "
        "JOIN accounts a ON a.id = e.account_id WHERE t.id = v.transfer_id AND t.kind = 'voucher' "
        "AND a.kind = 'caller' AND a.code = v.account AND e.amount = b.amount)"
    ),
    "each transfer of a voucher belongs to one that is used": (
        "SELECT t.id, t.key FROM transfers t LEFT JOIN vouchers v ON v.transfer_id = t.id "
        "WHERE t.kind = 'voucher' AND v.used_us IS NULL"
    ),
}
