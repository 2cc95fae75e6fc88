"""
What Segmentify's answers mean.

A 200 only says that the request was processed; its body says whether it was taken. Codes:
https://segmentify.github.io/segmentify-dev-doc/integration_rest (read 2026-11-22), which calls any
`statusCode` an error, while the vendor's SDKs (github.com/segmentify/react-native-sdk, read 2026-11-22) get
`SUCCESS` for success.
"""

from __future__ import annotations

from typing import Any

from crossdock.destinations.base import (
    Batch,
    Delivered,
    Halt,
    Outcome,
    Rejected,
    Response,
    Retry,
    Split,
    plain_outcome,
    retry_wait,
)

ACCOUNT_FAULTS = {
    "NO_API_KEY": "the apiKey parameter is missing",
    "NO_ACCOUNT": "the api_key belongs to no account",
    "UNVERIFIED_ACCOUNT": "the account's e-mail address is not verified",
    "FAILED_ACCOUNT": "the account is not active",
    "NO_DOMAIN_APIKEY_MATCH": "the origin does not fit the domain of the api_key",
}
"""Codes that an operator has to cure; no event is at fault."""


def outcome(batch: Batch, response: Response) -> Outcome:
    """Read the one answer for a whole batch: an error refuses all of it, since `responses` is then empty."""
    if 200 <= response.status < 300:
        return _processed(batch, response)
    # 400, 408, 413, 429 and 5xx are what HTTP means by them; any other status is undocumented.
    if response.status < 500 and response.status not in (400, 408, 413, 425, 429):
        return Halt(_reason(response))
    return plain_outcome(batch, response)


def _processed(batch: Batch, response: Response) -> Outcome:
    answer = response.json
    if not isinstance(answer, dict):
        return Retry(f"{response.status}: the answer is not a JSON object: {response.head or 'no body'}")
    given = answer.get("statusCode")
    code = given.strip() if isinstance(given, str) else given
    if code in (None, "", "SUCCESS"):
        return Delivered()
    code = str(code)[:100]
    if code in ACCOUNT_FAULTS:
        return Halt(f"{code}: {ACCOUNT_FAULTS[code]}")
    reason = f"{code}: {response.head}"
    return Split(reason, code) if len(batch.payloads) > 1 else Rejected(reason, code)


def keys(response: Response, count: int) -> tuple[str, ...] | Retry | Halt:
    """Read the answer to a request for keys: a bare JSON array of texts."""
    status = response.status
    if status == 200:
        listed: Any = response.json
        if isinstance(listed, list) and len(listed) >= count:
            found = tuple(key for key in listed[:count] if isinstance(key, str) and key.strip())
            if len(found) == count:
                return found
        return Retry(f"200: the answer holds no {count} keys: {response.head or 'no body'}")
    if status in (408, 425, 429) or status >= 500:
        return Retry(_reason(response), *retry_wait(response))
    return Halt(_reason(response))


def _reason(response: Response) -> str:
    return f"{response.status}: {response.head or 'no body'}"
