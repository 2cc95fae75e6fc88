"""A shopper's four calls through Segment's own Python library; a program of its own: HOST WRITE_KEY."""

import sys

from segment.analytics.client import Client


def main(host: str, write_key: str) -> int:
    """Send the four calls, wait until the library has let go of them; gives the number of errors."""
    errors: list[Exception] = []
    client = Client(write_key, host=host, on_error=lambda error, _: errors.append(error), max_retries=2)
    who = {"user_id": "u-python", "anonymous_id": "anon-python"}
    client.identify(**who, traits={"email": "python@shop.example"})
    client.track(**who, event="Product Viewed", properties={"product_id": "p-1", "name": "Köln mug"})
    client.track(
        **who,
        event="Product Clicked",
        properties={"product_id": "p-1", "resolvedBidId": "bid-python"},
    )
    products = [
        {"product_id": "p-1", "price": 9.5, "quantity": 2},
        {"product_id": "p-2", "price": 20, "quantity": 1},
    ]
    client.track(
        **who, event="Order Completed", properties={"order_id": "o-python", "total": 39, "products": products}
    )
    client.shutdown()
    for error in errors:
        print(error, file=sys.stderr)  # noqa: T201 - a program
    return len(errors)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
