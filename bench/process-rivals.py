# The process stage's sums by an engine of data: one thread, from the base64 of the records to hits by day and domain, and by day
# and action.
#   process-rivals.py ENGINE FOLDER EVENTS ROUNDS
# FOLDER holds 0.tsv …: of each event a record's base64 a line. What they leave out: where an address is and so the countries, the
# rules of a host name and of lengths, late and future hits, ids, the newest location of a domain, the encoding and the commit.
# Prints {"best", "hits"}: hits a second of this process' processor time, the best round.
import json, os, sys, time

engine, folder, events, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
os.environ["POLARS_MAX_THREADS"] = "1"


def clickhouse():
    from chdb import session

    chdb = session.Session()

    def fold(file):
        answer = chdb.query(
            f"""SELECT sum(n) FROM (SELECT day, h.3 AS domain, h.4 AS action, count() AS n FROM (
              SELECT JSONExtract(line, 'Tuple(time Int64, address String, domain String, action String)') AS h,
                intDiv(h.1, 86400000) AS day
              FROM (SELECT arrayJoin(splitByChar('\\n', base64Decode(line))) AS line FROM file('{file}', 'LineAsString'))
            ) WHERE h.1 > 0 GROUP BY GROUPING SETS ((day, domain), (day, action))) SETTINGS max_threads = 1""",
            "CSV",
        )
        return int(str(answer).strip()) // 2

    return fold


def duckdb():
    import duckdb

    base = duckdb.connect(config={"threads": 1})
    shape = json.dumps({"time": "BIGINT", "address": "VARCHAR", "domain": "VARCHAR", "action": "VARCHAR"})

    def fold(file):
        rows = base.execute(
            f"""WITH lines AS (SELECT unnest(string_split(decode(from_base64(column0)), chr(10))) AS line
              FROM read_csv('{file}', header = false, delim = '\\t', columns = {{'column0': 'VARCHAR'}}, max_line_size = 10000000)),
            hits AS (SELECT unnest(from_json(line, '{shape}')) FROM lines)
            SELECT time // 86400000 AS day, domain, action, count(*) AS n FROM hits WHERE time > 0
            GROUP BY GROUPING SETS ((day, domain), (day, action))"""
        ).fetchnumpy()
        return int(rows["n"].sum()) // 2

    return fold


def polars():
    import polars as pl

    shape = pl.Struct({"time": pl.Int64, "address": pl.String, "domain": pl.String, "action": pl.String})

    def fold(file):
        lines = pl.Series("line", open(file).read().split("\n")).str.decode("base64").cast(pl.String)
        hits = lines.str.split("\n").explode().str.json_decode(shape).struct.unnest()
        hits = hits.with_columns(day=pl.col("time") // 86_400_000)
        sums = [hits.group_by("day", name).len() for name in ("domain", "action")]
        return int(sums[0]["len"].sum())

    return fold


fold = {"clickhouse": clickhouse, "duckdb": duckdb, "polars": polars}[engine]()
best = 0.0
for round in range(rounds + 1):
    start, hits = time.process_time(), 0
    for event in range(events):
        hits += fold(f"{folder}/{event}.tsv")
    if round > 0:
        best = max(best, hits / (time.process_time() - start))
print(json.dumps({"best": best, "hits": hits}))
