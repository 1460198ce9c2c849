"""The rows of `large`, as statements that both databases understand, parted by semicolons."""

from __future__ import annotations

from typing import Final

# Accounts: 1 is the provider, then clients, resellers, funding, payout; callers come after.
PEOPLE: Final = """
INSERT INTO accounts (id, kind, code, currency, created_us)
VALUES (1, 'provider', 'provider', 'USD', 0);
INSERT INTO accounts (id, kind, code, currency, created_us, version)
SELECT 2 + i, 'client', {client}, 'USD', 0, 8000000 FROM {rows:50} n;
INSERT INTO accounts (id, kind, code, currency, created_us, version)
SELECT {clients} + 2 + i, 'reseller', 'reseller' || i, 'USD', 0, 8000000 FROM {rows:5} n;
INSERT INTO accounts (id, kind, code, number, mode, currency, posted, credit_limit, created_us,
version, status)
SELECT {clients} + 7 + i, 'caller', 'caller' || i, CAST(200000 + i AS text),
CASE WHEN i % 20 = 7 THEN 'postpaid' ELSE 'prepaid' END, 'USD',
CASE WHEN i % 100 = 0 THEN 500000 ELSE i % 977 * 100000 + 5000000 END,
CASE WHEN i % 20 = 7 THEN 250000000 ELSE 0 END, {begin} - {day} + i, 8000000,
CASE WHEN i % 200 = 1 THEN 'blocked' ELSE 'active' END FROM {rows:100000} n;
INSERT INTO accounts (id, kind, code, currency, created_us, version) VALUES
({clients} + 7 + {callers}, 'funding', 'funding', 'USD', 0, 8000000),
({clients} + 8 + {callers}, 'payout', 'payout', 'USD', 0, 8000000),
({clients} + 9 + {callers}, 'deferred', 'deferred', 'USD', 0, 8000000);
INSERT INTO clients (code, title, currency, shares, created_us)
SELECT {client}, 'Support ' || i, 'USD', {shares}, {begin} - {day} FROM {rows:50} n;
INSERT INTO agreement_versions (client, version, body, in_force_us)
SELECT {client}, 1, '{{"shares":' || {shares} || ',"referrers":[]}}', 0 FROM {rows:50} n;
INSERT INTO dids (number, client, kind, monthly_fee, timezone, tariff, trust_caller_id, pin)
SELECT {did}, {client}, 'local', 0, 'UTC', 'standard', true, 'optional' FROM {rows:100} n;
INSERT INTO tariff_versions
(id, name, version, currency, body, body_hash, in_force_us, created_us)
VALUES (1, 'standard', 1, 'USD', '{tariff}', '', 0, 0);
INSERT INTO tariff_versions
(id, name, version, currency, body, body_hash, in_force_us, created_us)
SELECT 2 + i, 'tariff' || (i / 3), i % 3 + 1, 'USD',
replace('{tariff}', '"standard"', '"tariff' || (i / 3) || '"'), '', i, i FROM {rows:60} n;
INSERT INTO queues (name, client, body)
SELECT 'support' || i, {client}, '{queue}' FROM {rows:50} n;
INSERT INTO topics (did, digit, name, destination)
SELECT '1800' || (5550000 + i / 5), i % 5 + 1, 'Topic ' || (i % 5),
CASE WHEN i % 5 < 4 THEN 'queue:support' || (i / 10) ELSE 'demo:agent' END FROM {rows:500} n;
INSERT INTO phones (number, account) SELECT '1555' || (1000000 + i), 'caller' || i
FROM {rows:100000} n;
INSERT INTO pins (account, pin_hash) SELECT 'caller' || i, 'none' FROM {rows:100000} n;
INSERT INTO users (login, password_hash, role, subject, created_us, rights)
SELECT 'c' || i, '{password}', 'client', {client}, 0, '{client_rights}' FROM {rows:200} n;
INSERT INTO users (login, password_hash, role, subject, created_us)
SELECT 'login' || i, '{password}', 'caller', 'caller' || i, 0 FROM {rows:20000} n
"""

CALLS: Final = """;
INSERT INTO calls (id, node, boot, channel, uniqueid, did, client, account, caller, digit, topic,
destination, tariff, tariff_version, state, started_us, answered_us, ended_us, closed_us,
end_reason, rating, timeline)
SELECT {uuid}, 'node-1', 'b', 'PJSIP/trunk-1', 'u', {did}, {client}, {account},
'1555' || (1000000 + i % {callers}), i / 100 % 5 + 1, {topic},
CASE WHEN i / 100 % 5 < 4 THEN 'queue:support' || (i % {clients}) ELSE 'demo:agent' END,
'standard', 1, 'ended', {start},
CASE WHEN i % 10 = 0 THEN NULL ELSE {start} + 18000000 END, {start} + 78000000, {start} + 78000000,
CASE WHEN i % 10 = 0 THEN 'caller_hung_up' ELSE 'agent_hung_up' END,
CASE WHEN i % 7 = 0 THEN i % 5 + 1 END,
'[[' || {start} || ', "authenticated"], [' || ({start} + 8000000) || ', "choosing"], ['
|| ({start} + 5000000) || ', "quoted"], [' || ({start} + 6000000) || ', "waiting"], ['
|| ({start} + 18000000) || ', "talking"], [' || ({start} + 78000000) || ', "ended"]]'
FROM {rows:} n;
INSERT INTO sessions (id, account_id, client, service, detail, tariff_version_id, timezone, shares,
currency, state, opened_us, started_us, ended_us, talk_us, billed_seconds, cost, balance_before,
balance_after, evidence, agent, review)
SELECT {uuid}, {payer}, {client}, {did}, {topic}, 1, 'UTC', '[["provider","provider",3000]]', 'USD',
'settled', {start}, {start} + 18000000, {start} + 78000000, 60000000, 60, {cost}, 50000000,
50000000 - {cost}, 'ami', CASE WHEN i % 3 = 0 THEN 'anna' ELSE 'john' END, i % 5000 = 3
FROM {rows:} n WHERE i % 10 <> 0;
INSERT INTO transfers (id, key, input_hash, kind, reference, at_us)
SELECT {uuid}, 's' || i, '', 'settle', {uuid}, {start} + 78000000 FROM {rows:} n WHERE i % 10 <> 0;
INSERT INTO entries (account_id, seq, transfer_id, amount, balance_after)
SELECT 1, i * 4 + 1, {uuid}, {cost} / 10 * 3, 0 FROM {rows:} n WHERE i % 10 <> 0;
INSERT INTO entries (account_id, seq, transfer_id, amount, balance_after)
SELECT 2 + i % {clients}, i * 4 + 1, {uuid}, {cost} / 10 * 6, 0 FROM {rows:} n WHERE i % 10 <> 0;
INSERT INTO entries (account_id, seq, transfer_id, amount, balance_after)
SELECT {clients} + 2 + i % 5, i * 4 + 1, {uuid}, {cost} / 10, 0 FROM {rows:} n WHERE i % 10 <> 0;
INSERT INTO entries (account_id, seq, transfer_id, amount, balance_after)
SELECT {payer}, i * 4 + 1, {uuid}, -{cost}, 50000000 FROM {rows:} n WHERE i % 10 <> 0
"""

# Top-ups spread over the year; the money of a party's payouts; refunds.
MONEY: Final = """;
INSERT INTO transfers (id, key, input_hash, kind, memo, actor, at_us)
SELECT '1' || substr({uuid}, 2), 't' || i, '',
CASE i % 3 WHEN 0 THEN 'top_up' WHEN 1 THEN 'voucher' ELSE 'payment' END, 'card', 'olga',
{begin} + i * ({year} / 100000) FROM {rows:100000} n;
INSERT INTO entries (account_id, seq, transfer_id, amount, balance_after)
SELECT {clients} + 7 + i * 13 % {callers}, i * 40 + 2, '1' || substr({uuid}, 2), 80000000, 50000000
FROM {rows:100000} n;
INSERT INTO entries (account_id, seq, transfer_id, amount, balance_after)
SELECT {clients} + 7 + {callers}, 1 + i, '1' || substr({uuid}, 2), -80000000, 0
FROM {rows:100000} n;
INSERT INTO transfers (id, key, input_hash, kind, reference, reverses, memo, actor, at_us)
SELECT '2' || substr({uuid}, 2), 'r' || i, '', 'refund', {uuid}, {uuid}, 'bad line', 'olga',
{start} + 3600000000 FROM {refunded};
INSERT INTO entries (account_id, seq, transfer_id, amount, balance_after)
SELECT {payer}, i * 4 + 3, '2' || substr({uuid}, 2), 10000, 0 FROM {refunded};
INSERT INTO entries (account_id, seq, transfer_id, amount, balance_after)
SELECT 2 + i % {clients}, i * 4 + 3, '2' || substr({uuid}, 2), -10000, 0 FROM {refunded};
INSERT INTO payout_terms (kind, code, hold_back_days, minimum, name, iban, bic)
SELECT 'client', {client}, CASE i % 3 WHEN 0 THEN 14 WHEN 1 THEN 30 ELSE 60 END, 50000000,
'Support ' || i, 'LT121000011101001000', 'HABALT22' FROM {rows:40} n;
INSERT INTO payout_files (id, currency, name, iban, bic, made_us, made_by)
SELECT {uuid}, 'USD', 'Provider', 'LT121000011101001000', 'HABALT22',
{begin} + i * ({year} / 100), 'olga' FROM {rows:98} n;
INSERT INTO payouts (id, key, kind, code, currency, amount, status, name, iban, bic, requested_us,
requested_by, decided_us, decided_by, paid_us, file)
SELECT '3' || substr({uuid}, 2), 'p' || i, 'client', {client}, 'USD', 1000000 + i % 90 * 10000,
CASE WHEN i >= 4960 THEN 'requested' WHEN i >= 4900 THEN 'approved' WHEN i % 50 = 33 THEN 'rejected'
ELSE 'paid' END, 'Support', 'LT121000011101001000', 'HABALT22', {begin} + i * ({year} / 5000),
{client}, CASE WHEN i < 4960 THEN {begin} + i * ({year} / 5000) + 1000 END,
CASE WHEN i < 4960 THEN 'olga' END,
CASE WHEN i < 4900 AND i % 50 <> 33 THEN {begin} + i * ({year} / 5000) + 2000 END,
CASE WHEN i < 4900 AND i % 50 <> 33 THEN '00000000-0000-7000-8000-' || '0000000000'
|| (i / 50 / 10) || (i / 50 % 10) END FROM {rows:5000} n;
INSERT INTO transfers (id, key, input_hash, kind, actor, at_us)
SELECT id, 'payout:' || id, '', 'payout', 'olga', paid_us FROM payouts WHERE paid_us IS NOT NULL;
INSERT INTO entries (account_id, seq, transfer_id, amount, balance_after)
SELECT a.id, CAST(substr(p.id, 25) AS bigint) * 800 + 2, p.id, -p.amount, 0 FROM payouts p
JOIN accounts a ON a.kind = p.kind AND a.code = p.code AND a.currency = p.currency
WHERE p.paid_us IS NOT NULL;
INSERT INTO entries (account_id, seq, transfer_id, amount, balance_after)
SELECT {clients} + 8 + {callers}, row_number() OVER (ORDER BY id), id, amount, 0 FROM payouts
WHERE paid_us IS NOT NULL;
UPDATE accounts SET posted = (SELECT sum(e.amount) FROM entries e WHERE e.account_id = accounts.id)
WHERE id < {clients} + 7
"""

SUMS: Final = """;
INSERT INTO party_days (account_id, day_us, kind, movements, amount)
SELECT e.account_id, t.at_us - t.at_us % {day}, t.kind, count(*), sum(e.amount)
FROM transfers t JOIN entries e ON e.transfer_id = t.id
WHERE e.account_id BETWEEN 2 AND {clients} + 6 GROUP BY 1, 2, 3;
INSERT INTO revenue_days (day_us, client, service, detail, tariff_version_id, currency, sessions,
talk_us, billed_seconds, gross)
SELECT ended_us - ended_us % {day}, client, service, detail, 1, currency, count(*), sum(talk_us),
sum(billed_seconds), sum(cost) FROM sessions GROUP BY 1, 2, 3, 4, 6;
INSERT INTO share_days (day_us, client, service, detail, tariff_version_id, currency, kind, account,
amount)
SELECT r.day_us, r.client, r.service, r.detail, 1, r.currency, p.kind,
CASE p.kind WHEN 'client' THEN r.client WHEN 'provider' THEN 'provider'
ELSE 'reseller' || (CAST(substr(r.client, 7) AS integer) % 5) END, r.gross / 10 * p.tenths
FROM revenue_days r CROSS JOIN (SELECT 'client' AS kind, 6 AS tenths UNION ALL SELECT 'provider', 3
UNION ALL SELECT 'reseller', 1) p;
INSERT INTO agent_days (day_us, client, agent, service, detail, currency, sessions, talk_us,
billed_seconds, gross, to_client, to_provider, to_reseller, to_referrer, to_tax)
SELECT ended_us - ended_us % {day}, client, agent, service, detail, currency, count(*),
sum(talk_us), sum(billed_seconds), sum(cost), sum(cost / 10 * 6), sum(cost / 10 * 3),
sum(cost / 10), 0, 0 FROM sessions GROUP BY 1, 2, 3, 4, 5, 6
"""

# What operators, clients and programs do all year.
AROUND: Final = """;
INSERT INTO voucher_batches (id, amount, currency, size, note, actor, created_us)
SELECT '5' || substr({uuid}, 2), 80000000, 'USD', 1000, 'spring', 'olga',
{begin} + i * ({year} / 20) FROM {rows:20} n;
INSERT INTO vouchers (code_hash, batch, serial, used_us, account, key, transfer_id)
SELECT 'hash' || i, '50000000-0000-7000-8000-' || '0000000000' || (i / 10000)
|| (i / 1000 % 10), i % 1000 + 1,
CASE WHEN i % 2 = 0 THEN {begin} + i * ({year} / 20000) END,
CASE WHEN i % 2 = 0 THEN 'caller' || (i * 13 % {callers}) END,
CASE WHEN i % 2 = 0 THEN 'k' || i END,
CASE WHEN i % 2 = 0 THEN '1' || substr({uuid}, 2) END FROM {rows:20000} n;
INSERT INTO billing_settings (account, cycle, terms_days, late_fee, late_fee_bp, grace_days,
early_discount_bp, early_days, title, address)
SELECT 'caller' || (i * 20 + 7), 'end', 14, 5000000, 0, 5, 200, 7, 'Company ' || i, 'Vilnius'
FROM {rows:5000} n;
INSERT INTO invoices (number, series, year, sequence, account, currency, month, issued_us, due_us,
cycle, terms_days, late_fee, late_fee_bp, grace_days, early_discount_bp, early_days, title, address,
net, tax, total)
SELECT 'INV-2026-' || {pad}, 'INV', 2026, i + 1, 'caller' || (i % 5000 * 20 + 7), 'USD',
CASE WHEN i < 5000 THEN '2026-08' ELSE '2026-09' END,
{now} - CASE WHEN i < 5000 THEN 60 ELSE 30 END * {day} + i, {now} - CASE WHEN i < 5000 THEN 46
ELSE 16 END * {day} + i, 'end', 14, 5000000, 0, 5, 200, 7, 'Company ' || (i % 5000), 'Vilnius',
80000000, 0, 80000000 FROM {rows:10000} n;
INSERT INTO invoice_lines (invoice, position, kind, text, service, detail, tariff, quantity,
billed_seconds, net, tax)
SELECT 'INV-2026-' || {pad}, p.n, 'settle', 'Calls', '18005550014', 'Topic ' || p.n, 'standard', 3,
600, 10000000, 0 FROM {rows:10000} r CROSS JOIN (SELECT 1 AS n UNION ALL SELECT 2) p;
INSERT INTO invoice_allocations (transfer_id, invoice, amount, at_us)
SELECT '1' || substr({uuid}, 2), 'INV-2026-' || {pad}, 80000000, {now} - 20 * {day}
FROM {rows:10000} n WHERE i % 10 < 8;
INSERT INTO audit_log (at_us, actor, address, action, subject, before, after, role, company)
SELECT {begin} + i * ({year} / 100000), CASE WHEN i % 2 = 0 THEN 'olga' ELSE 'c' || (i % 200) END,
'127.0.0.1', CASE i % 4 WHEN 0 THEN 'account.top_up' WHEN 1 THEN 'line.change' WHEN 2 THEN
'login.ok' ELSE 'queue.change' END, CASE i % 4 WHEN 1 THEN {did} ELSE {account} END, 'a', 'b',
CASE WHEN i % 2 = 0 THEN 'operator' ELSE 'client' END,
CASE WHEN i % 2 = 1 THEN {client} END FROM {rows:100000} n;
INSERT INTO plan_versions (id, name, version, currency, body, body_hash, created_us)
VALUES (1, 'starter', 1, 'USD', '{plan}', '', 0);
INSERT INTO subscriptions (id, account, plan_version_id, state, months_paid_at_once, anchor_us,
cycle, cycle_start_us, cycle_end_us, paid_cycles, created_us)
SELECT '6' || substr({uuid}, 2), 'caller' || (i * 5 + 2), 1,
CASE WHEN i % 50 = 3 THEN 'past_due' WHEN i % 10 = 2 THEN 'cancelled' ELSE 'active' END, 1,
{begin}, 12, {now} - i % 30 * {day}, {now} + (30 - i % 30) * {day}, 13, {begin}
FROM {rows:20000} n;
INSERT INTO allowances (code, subscription, meter, unit, bucket, priority, granted, expires_us)
SELECT '6' || substr({uuid}, 2) || '.minutes.cycle', '6' || substr({uuid}, 2), 'minutes', 'SEC',
'cycle', 1, 60000000000, {now} + {day} FROM {rows:20000} n;
INSERT INTO accounts (id, kind, code, currency, posted, created_us)
SELECT 200000 + i, 'allowance', '6' || substr({uuid}, 2) || '.minutes.cycle', 'SEC', 30000000000, 0
FROM {rows:20000} n;
INSERT INTO mrr_changes (subscription, plan, currency, kind, difference, mrr, at_us)
SELECT '6' || substr({uuid}, 2), 'starter', 'USD', 'new', 49000000, 49000000,
{begin} + i * ({year} / 20000) FROM {rows:20000} n;
INSERT INTO usage_hours (account, meter, type, hour_us, events, units, overage_units, overage)
SELECT 'caller' || (i % 20000 * 5 + 2), 'minutes', 'chat', ({begin} / 3600000000 + i / 6)
* 3600000000, 5, 150000000, 0, 0 FROM {rows:50000} n;
INSERT INTO recordings (call, kind, client, bytes, created_us, keep_until_us)
SELECT '00000000-0000-7000-8000-' || {pad}, 'message', {client}, 80000,
{begin} + i * ({year} / 20000), {now} + {day} FROM {rows:20000} n;
INSERT INTO callbacks (id, call, client, did, digit, account, number, language, state, tries,
next_us, created_us)
SELECT '7' || substr({uuid}, 2), {uuid}, {client}, {did}, 1, {account}, '12025550143', 'en',
CASE WHEN i % 50 = 1 THEN 'waiting' ELSE 'done' END, 1, {now}, {begin} + i * ({year} / 5000)
FROM {rows:5000} n;
INSERT INTO card_payments (id, account, currency, amount, kind, state, form_key, saves_card,
checkout, intent, transfer_id, next_us, created_us, ended_us)
SELECT '8' || substr({uuid}, 2), 'caller' || (i % 5000 * 20 + 7), 'USD', 80000000,
CASE WHEN i % 4 = 0 THEN 'auto' ELSE 'checkout' END, CASE WHEN i % 10 = 1 THEN 'failed'
WHEN i % 10 = 2 THEN 'expired' ELSE 'paid' END, 'f' || i, false, 'cs' || i, 'pi' || i,
CASE WHEN i % 10 NOT IN (1, 2) THEN '1' || substr({uuid}, 2) END, 0,
{begin} + i * ({year} / 20000), {begin} + i * ({year} / 20000) + 1000 FROM {rows:20000} n;
INSERT INTO card_claims (id, intent, kind, amount, currency, won, at_us)
SELECT 'claim' || i, 'pi' || (i * 100), CASE WHEN i % 2 = 0 THEN 'refund' ELSE 'dispute' END,
80000000, 'USD', false, {begin} FROM {rows:200} n;
INSERT INTO saved_cards (account, customer, method, label, enabled, threshold, amount, month_max,
failures, next_us, changed_us)
SELECT 'caller' || i, 'cus', 'pm', 'visa 4242', true, 5000000, 80000000, 100000000, 0, 0, 0
FROM {rows:5000} n;
INSERT INTO account_notes (id, account, text, actor, at_us)
SELECT {uuid}, {account}, 'calls at night', 'olga', {begin} FROM {rows:10000} n;
INSERT INTO alarms (id, kind, subject, severity, client, facts, opened_us, seen_us, over_us)
SELECT {uuid}, 'revenue', {client} || ':USD', 'warn', {client},
'{{"hour": "90.00", "usual": "3.00", "currency": "USD"}}', {begin} + i * ({year} / 2000),
{begin} + i * ({year} / 2000), CASE WHEN i < 1990 THEN {begin} + i * ({year} / 2000) + 1 END
FROM {rows:2000} n;
INSERT INTO listenings (id, call, client, login, phone, reason, asked_us, heard_us, ended_us)
SELECT {uuid}, {uuid}, {client}, 'olga', '4711', 'quality', {begin}, {begin}, {begin} + 1000
FROM {rows:1000} n;
INSERT INTO webhook_endpoints (id, client, url, secret, events, low_balance, enabled, created_us)
SELECT {uuid}, {client}, 'https://hooks.example/' || i, 's', '["call.ended"]', 0, true, {begin}
FROM {rows:50} n;
INSERT INTO webhook_endpoints (id, account, url, secret, events, low_balance, enabled, created_us)
SELECT '8' || substr({uuid}, 2), {account}, 'https://hooks.example/' || i, 's',
'["payment.failed", "balance.low"]', 0, true, {begin} FROM {rows:500} n;
INSERT INTO webhook_outbox (id, endpoint, event_id, event, body, state, attempts, next_us, status,
took_ms, tried_us, created_us)
SELECT '9' || substr({uuid}, 2), '00000000-0000-7000-8000-' || '0000000000'
|| (i % 50 / 10) || (i % 10), 'e' || i, 'call.ended', '{{"id": ' || i || '}}',
CASE WHEN i % 100 = 1 THEN 'failed' ELSE 'delivered' END, 1, {begin} + i * ({year} / 50000),
200, 40, {begin} + i * ({year} / 50000), {begin} + i * ({year} / 50000) FROM {rows:50000} n;
INSERT INTO api_tokens (token_hash, id, name, role, subject, created_us, created_by)
SELECT 'token' || i, 'id' || i, 'program', 'client', {client}, {begin} + i, 'olga'
FROM {rows:500} n;
INSERT INTO pin_failures (scope, name, failures, since_us, until_us)
SELECT 'caller', '1666' || i, 3, {now} - {day}, {now} - {day} FROM {rows:5000} n
"""
