"""Waits until the lake equals the table: check_lake.py FOLDER 'rows|sum of amount|delivered'.

Read by DuckDB, which shares no code with what wrote the files. Exits 1 with the difference after two minutes.
"""
import sys
import time

import duckdb

SECONDS_MAX = 120

# What the newest version of each order adds up to; and records that are there more than once.
QUERY = """
    WITH versions AS (SELECT * FROM read_parquet('{folder}/**/*.parquet')),
         newest AS (SELECT * FROM versions QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY _version DESC, _offset DESC) = 1)
    SELECT (SELECT concat_ws('|', count(*), sum(amount), count(*) FILTER (order_status = 'DELIVERED')) FROM newest),
           (SELECT count(*) - count(DISTINCT (_partition, _offset)) FROM versions)
"""


def look(folder):
    try:
        return duckdb.sql(QUERY.format(folder=folder)).fetchone()
    except duckdb.IOException as e:  # no file yet
        return str(e), 0


def main(folder, expected):
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        seen, twice = look(folder)
        if twice:
            sys.exit(f"{twice} records are in the lake more than once")
        if seen == expected:
            print(f"lake and table agree: {seen}")
            return
        if time.monotonic() > deadline:
            sys.exit(f"after {SECONDS_MAX} s the lake has {seen} (rows|amount|delivered), the table {expected}")
        time.sleep(1)


main(*sys.argv[1:])
