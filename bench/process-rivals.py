# The process stage's sums by an engine of data: one thread, from the base64 of the records to hits by day and domain, and by day
# and action.
#   process-rivals.py ENGINE FOLDER EVENTS ROUNDS
# FOLDER holds 0.tsv …: of each event a record's base64 a line. What they leave out: where an address is and so the countries, the
# rules of a host name and of lengths, late and future hits, ids, the newest location of a domain, the encoding and the commit.
# spark is Structured Streaming, a micro-batch of all events. Prints {"best", "hits"}: hits a second of processor time, its JVM's too, the
# best round.
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


def spark():
    import atexit, shutil, tempfile
    from pyspark.sql import SparkSession, functions as F

    session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    session = session.config("spark.sql.shuffle.partitions", "1").config("spark.driver.memory", "2g").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    jvm.append(session._jvm.java.lang.ProcessHandle.current().pid())
    incoming = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, incoming)
    counted = []
    shape = "time BIGINT, address STRING, domain STRING, action STRING"
    lines = F.explode(F.split(F.unbase64("value").cast("string"), "\n")).alias("line")
    hits = session.readStream.text(incoming).select(lines).select(F.from_json("line", shape).alias("hit")).select("hit.*")
    hits = hits.where("time > 0").withColumn("day", F.expr("time div 86400000"))

    def sums(batch, _number):
        batch.createOrReplaceTempView("hits")
        rows = batch.sparkSession.sql(
            """SELECT sum(n) AS hits FROM (SELECT day, domain, action, count(*) AS n FROM hits
            GROUP BY day, domain, action GROUPING SETS ((day, domain), (day, action)))"""
        ).collect()
        counted.append(rows[0]["hits"] // 2)

    query = hits.writeStream.foreachBatch(sums).start()

    def fold(*files):
        counted.clear()
        temporary = f"{incoming}/.next"
        with open(temporary, "w") as whole:
            whole.write("\n".join(open(file).read() for file in files))
        os.rename(temporary, f"{incoming}/{time.monotonic_ns()}.tsv")
        query.processAllAvailable()
        return sum(counted)

    return fold


def processor():
    """Seconds of this process and of the JVM it started."""
    seconds = time.process_time()
    for pid in jvm:
        with open(f"/proc/{pid}/stat") as stat:
            user, system = stat.read().rpartition(")")[2].split()[11:13]
        seconds += (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return seconds


jvm = []
fold = {"clickhouse": clickhouse, "duckdb": duckdb, "polars": polars, "spark": spark}[engine]()
all_files = [f"{folder}/{event}.tsv" for event in range(events)]
best = 0.0
for round in range(rounds + 1):
    start, hits = processor(), 0
    # A micro-batch costs Spark more than an event's hits do.
    for files in [all_files] if engine == "spark" else [[file] for file in all_files]:
        hits += fold(*files)
    if round > 0:
        best = max(best, hits / (processor() - start))
print(json.dumps({"best": best, "hits": hits}))
