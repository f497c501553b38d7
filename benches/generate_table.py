#!/usr/bin/env python3
"""Writes the table that the measurements are made on: ten columns, any size, the same bytes for the same arguments.

    generate_table.py orders.csv --megabytes 1000 [--quoted] [--first-id 1] [--rows N] [--seed 7]

Columns: integer id, text with commas, quotes and line breaks in some rows, two decimals, date, time stamp, one of
50 categories, a column that is mostly empty, unicode text, a small integer. `--quoted` quotes every field; without it
only fields that need quotes have them. `--first-id` and `--rows` make loads that overlap with an earlier one.
"""

import argparse
import random

HEADER = ["id", "note", "price", "weight", "day", "stamp", "category", "remark", "city", "count"]
WORDS = "crate barrel rope anchor winch pallet hull ballast cargo manifest tide berth quay pilot".split()
CITIES = ["Praha", "Plzeň", "Göteborg", "São Paulo", "東京", "Αθήνα", "Łódź", "Reykjavík", "القاهرة", "Oslo"]
CATEGORIES = [f"category-{number:02}" for number in range(50)]


def note(rng):
    text = " ".join(rng.choices(WORDS, k=rng.randint(1, 5)))
    kind = rng.random()
    if kind < 0.05:
        return text + ", " + rng.choice(WORDS)
    if kind < 0.07:
        return text + "\n" + rng.choice(WORDS)
    if kind < 0.09:
        return f'the "{text}"'
    return text


def row(rng, number):
    return [
        str(number),
        note(rng),
        f"{rng.randint(0, 999999) / 100:.2f}",
        f"{rng.random() * 1000:.4f}",
        f"20{rng.randint(10, 26)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
        f"20{rng.randint(10, 26)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} "
        f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}",
        rng.choice(CATEGORIES),
        "" if rng.random() < 0.8 else rng.choice(WORDS),
        rng.choice(CITIES),
        str(rng.randint(0, 99)),
    ]


def quoted(value):
    return '"' + value.replace('"', '""') + '"'


def minimal(value):
    return quoted(value) if any(mark in value for mark in ',"\n\r') else value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rows", type=int, help="instead of a size")
    parser.add_argument("--first-id", type=int, default=1)
    parser.add_argument("--quoted", action="store_true")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()

    rng = random.Random(arguments.seed)
    write = quoted if arguments.quoted else minimal
    limit = arguments.megabytes * 1_000_000
    size = rows = 0
    with open(arguments.path, "wb") as file:
        record = HEADER
        while True:
            line = (",".join(map(write, record)) + "\n").encode()
            file.write(line)
            size += len(line)
            if rows == arguments.rows or (arguments.rows is None and size >= limit):
                break
            record = row(rng, arguments.first_id + rows)
            rows += 1
    print(f"{arguments.path}: {rows} rows, {size} bytes")


if __name__ == "__main__":
    main()
