"""Every form of the pages has operations of the API that do the same, or a reason why not.

A form is named by its handler: the same one may stand under /admin, /portal and /account.
"""

from __future__ import annotations

from ivr.web.api.table import OPERATIONS
from ivr.web.app import PAGES

OWN_SESSION = "about the session of a browser; a token has none"
OWN_PASSWORD = "wants the password of a login; a token has none"
DONE_BY = {
    "public.log_out": OWN_SESSION,
    "admin.alarms.take": ("acknowledgeAlarm",),
    "admin.limits.save": ("setLimits",),
    "admin.account_new.add": ("addAccount",),
    "admin.account.top_up": ("topUp",),
    "admin.account.adjust": ("adjust",),
    "admin.account.set_status": ("setStatus",),
    "live_pages.listen": ("listenToCall",),
    "live_pages.extend": ("extendCall",),
    "admin.account_identity.change_phone": ("changePhone",),
    "admin.account_identity.change_pin": ("setPin", "removePin"),
    "admin.account_identity.unlock": ("unlock",),
    "admin.account_identity.choose_language": ("setLanguage",),
    "admin.account_identity.note": ("keepNote",),
    "admin.account_terms.set_limit": ("setCreditLimit",),
    "admin.account_terms.set_terms": ("setBillingTerms",),
    "admin.account_plan.change": ("changePlan",),
    "admin.account_plan.buy": ("buyUnits",),
    "admin.calls.hang_up": ("hangUp",),
    "desk_pages.change_agent": ("changeAgent",),
    "desk_pages.cancel": ("cancelCallback",),
    "prompt_pages.add": ("keepPrompt",),
    "prompt_pages.drop": ("deletePrompt",),
    "prompt_pages.use": ("useSound",),
    "lines.list_pages.add": ("putLine",),
    "lines.topic_pages.save": ("putTopic",),
    "lines.topic_pages.remove": ("removeTopic",),
    "lines.line_pages.save_hours": ("putHours",),
    "lines.line_pages.save_order": ("orderTopics",),
    "lines.line_pages.save_facts": ("putLine",),
    "lines.line_pages.retire": ("retireLine",),
    "lines.queue_pages.save": ("putQueue",),
    "lines.queue_pages.give_pin": ("giveAgentPin",),
    "lines.queue_pages.delete": ("deleteQueue",),
    "lines.tariff_editor.save": ("previewTariff", "putTariff"),
    "lines.tariff_editor.drop": ("dropPlannedTariff",),
    "lines.limit_pages.save": ("putClientLimits",),
    "lines.plan_editor.save": ("previewPlan", "putPlan"),
    "webhooks.pages.add": ("addWebhook",),
    "webhooks.pages.change": ("changeWebhook",),
    "webhooks.pages.act": ("changeWebhook", "rotateWebhookSecret", "deleteWebhook"),
    "webhooks.pages.test": ("testWebhook",),
    "webhooks.pages.replay": ("replayDelivery",),
    "admin.call.refund": ("refund",),
    "admin.imports.look": ("checkAccounts", "checkTopUps", "checkCatalog"),
    "admin.imports.apply": ("importAccounts", "importTopUps", "importCatalog"),
    "admin.vouchers.generate": ("generateVouchers",),
    "admin.vouchers.disable": ("disableVouchers",),
    "admin.vouchers.disable_code": ("disableCode",),
    "admin.vouchers.redeem": ("redeemVoucher",),
    "admin.voucher_batch.disable_serial": ("disableSerial",),
    "admin.client_edit.open_new": ("previewAgreement", "putClient"),
    "admin.client_edit.save": ("previewAgreement", "putClient"),
    "admin.client_edit.set_suspended": ("suspendClient",),
    "admin.parties.set_terms": ("setPayoutTerms",),
    "admin.parties.hold": ("holdPayouts",),
    "admin.parties.release": ("releasePayouts",),
    "admin.plans.subscribe": ("subscribe",),
    "admin.invoices.pay": ("payInvoice",),
    "admin.invoices.credit": ("creditInvoice",),
    "admin.invoice_run.run": ("runInvoices",),
    "admin.payouts.decide": ("approvePayout", "rejectPayout", "notePaid"),
    "admin.payouts.create": ("requestPayout",),
    "admin.payouts.make_file": ("makePayoutFile",),
    "admin.cards.check": ("compareCardPayment",),
    "admin.cards.close": ("closeCardPayment",),
    "portal.payouts.ask": ("requestPayout",),
    "portal.payouts.withdraw": ("withdrawPayout",),
    "account.money.redeem": ("redeemVoucher",),
    "account.cards.pay": ("beginCardPayment",),
    "account.cards.set_auto": ("setAutoTopUp",),
    "account.cards.stop_auto": ("stopAutoTopUp",),
    "account.cards.forget_card": ("forgetCard",),
    "account.plan.choose": ("subscribe", "changeSubscription"),
    "account.plan.cancel": ("cancelSubscription",),
    "account.plan.buy": ("buyUnits",),
    "account.identity.change_pin": ("changePin",),
    "account.identity.forget_phone": ("removePhone",),
    "account.settings.change_login": OWN_PASSWORD,
    "logins.pages.add": ("addLogin",),
    "logins.changes.change_rights": ("setLoginRights",),
    "logins.changes.change_state": ("setLoginState",),
    "logins.changes.new_password": ("resetLoginPassword",),
    "logins.changes.factor_off": ("resetLoginFactor",),
    "logins.changes.end_sessions": ("endSessions", "endSession"),
    "logins.key_pages.add": ("makeKey",),
    "logins.key_pages.revoke": ("revokeKey",),
    "settings.first.change": OWN_PASSWORD,
    "settings.password.change": OWN_PASSWORD,
    "settings.factor.begin": OWN_PASSWORD,
    "settings.factor.confirm": OWN_PASSWORD,
    "settings.factor.off": OWN_PASSWORD,
    "settings.sessions.end": OWN_SESSION,
    "settings.sessions.end_others": OWN_SESSION,
    "settings.language.choose": "the API speaks English with everybody",
}


def test_every_form_is_done_by_an_operation_for_each_of_its_roles():
    operations = {one.name: one for one in OPERATIONS}
    wrong = []
    for page in (each for each in PAGES if each.method == "POST"):
        handler = page.handler
        name = f"{handler.__module__.removeprefix('ivr.web.')}.{handler.__name__}"
        done_by = DONE_BY[name]
        if isinstance(done_by, str):
            continue
        wrong += [
            f"{page.path}: {one} is not for {', '.join(page.roles - operations[one].roles)}"
            for one in done_by
            if not page.roles <= operations[one].roles
        ]
        rights = {operations[one].right for one in done_by}
        if page.right is not None and page.right not in rights:
            wrong.append(f"{page.path} needs {page.right}, {', '.join(done_by)} {rights}")

    assert not wrong


def test_the_list_names_no_form_that_is_gone():
    forms = {
        f"{page.handler.__module__.removeprefix('ivr.web.')}.{page.handler.__name__}"
        for page in PAGES
        if page.method == "POST"
    }

    assert DONE_BY.keys() == forms
