# The peers of bench/als.ts: reads the matrix it wrote, fits with implicit (and Spark), prints one JSON object.
# Arguments: folder, rank, rounds, spark (0 or 1).
import json, os, statistics, sys, time
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
import numpy as np
import scipy.sparse as sparse
from implicit.als import AlternatingLeastSquares

folder, rank, rounds, spark = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1"
meta = json.load(open(f"{folder}/meta.json"))
users, items, alpha, lam, iterations = (meta[k] for k in ("users", "items", "alpha", "lambda", "iterations"))
starts = np.fromfile(f"{folder}/starts.u32", np.uint32).astype(np.int32)
columns = np.fromfile(f"{folder}/columns.u32", np.uint32).astype(np.int32)
values = np.fromfile(f"{folder}/values.f32", np.float32)
start = np.fromfile(f"{folder}/start{rank}.f32", np.float32).reshape(items, rank)
# implicit takes confidence = alpha x value: 1 + alpha r is what Hu, Koren and Volinsky (and we) have.
confidence = sparse.csr_matrix((1 + alpha * values, columns, starts), shape=(users, items))
out = {}


def fit(cg):
    model = AlternatingLeastSquares(factors=rank, regularization=lam, alpha=1, iterations=iterations, use_gpu=False,
                                    use_cg=cg, num_threads=0, random_state=1)
    model.item_factors = start.copy()
    model.user_factors = np.zeros((users, rank), np.float32)
    began, used = time.perf_counter(), time.process_time()
    model.fit(confidence, show_progress=False)
    return model, time.perf_counter() - began, time.process_time() - used


for name, cg in (("implicitCholesky", False), ("implicitCg", True)):
    times, processor = [], []
    for round in range(rounds + 1):
        model, seconds, used = fit(cg)
        times.append(seconds)
        processor.append(used)
    out[name + "S"] = statistics.median(times[1:])
    out[name + "ProcessorS"] = statistics.median(processor[1:])
    model.user_factors.astype(np.float32).tofile(f"{folder}/{name}{rank}.users.f32")
    model.item_factors.astype(np.float32).tofile(f"{folder}/{name}{rank}.items.f32")
    if not cg:
        times = []
        for round in range(rounds + 1):
            began = time.perf_counter()
            model.recommend(np.arange(users), confidence, N=10, filter_already_liked_items=True)
            times.append(time.perf_counter() - began)
        out["implicitTopS"] = statistics.median(times[1:])

if spark:
    from pyspark.ml.recommendation import ALS
    from pyspark.sql import SparkSession
    rows = np.repeat(np.arange(users, dtype=np.int32), np.diff(starts))
    import csv
    path = f"{folder}/pairs.csv"
    if not os.path.exists(path):
        np.savetxt(path, np.column_stack([rows, columns, values]), fmt="%d", delimiter=",")
    session = (SparkSession.builder.master("local[2]").config("spark.driver.memory", "6g")
               .config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "8").getOrCreate())
    session.sparkContext.setLogLevel("ERROR")
    frame = session.read.csv(path, schema="user int, item int, rating float").repartition(8).cache()
    frame.count()
    # Spark's lambda is times a row's entries; the same number as everybody's is nearest to what people do.
    als = ALS(rank=rank, maxIter=iterations, regParam=lam, alpha=alpha, implicitPrefs=True, userCol="user",
              itemCol="item", ratingCol="rating", seed=1, numUserBlocks=8, numItemBlocks=8)
    times = []
    for round in range(2):
        began = time.perf_counter()
        model = als.fit(frame)
        model.itemFactors.count()
        times.append(time.perf_counter() - began)
    out["sparkS"] = times[-1]
    for name, side, count in (("users", model.userFactors, users), ("items", model.itemFactors, items)):
        dense = np.zeros((count, rank), np.float32)
        for row in side.toLocalIterator():
            dense[row.id] = row.features
        dense.tofile(f"{folder}/spark{rank}.{name}.f32")
    session.stop()
print(json.dumps(out))
