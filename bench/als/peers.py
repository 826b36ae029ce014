# The peers of bench/als.ts: implicit, irspack, oneDAL (daal4py) or Spark MLlib. A line of JSON in for each fit, a line
# of JSON out (contestant.ts).
import contextlib, io, json, os, re, sys, time
# implicit runs its own threads over BLAS; the lists of irspack are BLAS alone.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2" if sys.argv[1] == "irspack" else "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
import numpy as np


def peak():
    """As in ours.ts."""
    try:
        return int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1]) * 1024
    except OSError:
        return None


def implicit():
    import scipy.sparse as sparse
    from implicit.als import AlternatingLeastSquares
    read = {}

    def fit(task):
        folder, out, users, items = (task[k] for k in ("folder", "out", "users", "items"))
        if read.get("folder") != folder:
            starts = np.fromfile(f"{folder}/starts.u32", np.uint32).astype(np.int32)
            columns = np.fromfile(f"{folder}/columns.u32", np.uint32).astype(np.int32)
            values = np.fromfile(f"{folder}/values.f32", np.float32)
            # implicit takes confidence = alpha x value: 1 + alpha r is what Hu, Koren and Volinsky (and we) have.
            confidence = sparse.csr_matrix((1 + task["alpha"] * values, columns, starts), shape=(users, items))
            read.update(folder=folder, confidence=confidence.astype(np.float32))
        rank, confidence = task["rank"], read["confidence"]
        model = AlternatingLeastSquares(factors=rank, regularization=task["lambda"], alpha=1, use_gpu=False, num_threads=0,
                                        iterations=task["iterations"], use_cg=task["solver"] == "cg", random_state=1)
        model.item_factors = np.fromfile(f"{folder}/start.{rank}.{task['seed']}.f32", np.float32).reshape(items, rank)
        model.user_factors = np.zeros((users, rank), np.float32)
        began, used = time.perf_counter(), time.process_time()
        model.fit(confidence, show_progress=False)
        reply = dict(seconds=time.perf_counter() - began, processorS=time.process_time() - used,
                     peakBytes=peak())
        model.user_factors.astype(np.float32).tofile(f"{out}.users.f32")
        model.item_factors.astype(np.float32).tofile(f"{out}.items.f32")
        if task["top"]:
            began = time.perf_counter()
            model.recommend(np.arange(users), confidence, N=10, filter_already_liked_items=True)
            reply["topS"] = time.perf_counter() - began
        return reply

    return fit


def matrix(task, kind):
    import scipy.sparse as sparse
    folder = task["folder"]
    part = lambda name, type: np.fromfile(f"{folder}/{name}", type)
    return sparse.csr_matrix((part("values.f32", np.float32).astype(kind), part("columns.u32", np.uint32).astype(np.int32),
                              part("starts.u32", np.uint32).astype(np.int32)), shape=(task["users"], task["items"]))


def top_ten(people, images, rows):
    """irspack has no lists of its own: block by block with NumPy on two threads."""
    for first in range(0, len(people), 1000):
        part = rows[first:first + 1000]
        scores = people[first:first + 1000] @ images.T
        scores[part.nonzero()] = -np.inf
        best = np.argpartition(scores, -10, axis=1)[:, -10:]
        np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1), axis=1), 1)


def timed(run):
    began, used = time.perf_counter(), time.process_time()
    result = run()
    return result, dict(seconds=time.perf_counter() - began, processorS=time.process_time() - used, peakBytes=peak())


def irspack():
    from irspack import IALSRecommender
    read = {}

    def fit(task):
        if read.get("folder") != task["folder"]:
            read.update(folder=task["folder"], rows=matrix(task, np.float32))
        # The same objective: plain lambda (nu 0), confidence 1 + alpha r.
        model = IALSRecommender(read["rows"], n_components=task["rank"], alpha0=task["alpha"], reg=task["lambda"], nu=0,
                                loss_type="ORIGINAL", solver_type="CG" if task["solver"] == "cg" else "CHOLESKY",
                                train_epochs=task["iterations"], random_seed=task["seed"], n_threads=2)
        # Its progress bar goes to stdout, where the replies go.
        with contextlib.redirect_stdout(io.StringIO()):
            model, reply = timed(model.learn)
        people, images = (np.asarray(side, np.float32) for side in (model.get_user_embedding(), model.get_item_embedding()))
        people.tofile(f"{task['out']}.users.f32")
        images.tofile(f"{task['out']}.items.f32")
        if task["top"]:
            began = time.perf_counter()
            top_ten(people, images, read["rows"])
            reply["topS"] = time.perf_counter() - began
        return reply

    return fit


def onedal():
    import daal4py
    read = {}

    def fit(task):
        if read.get("folder") != task["folder"]:
            read.update(folder=task["folder"], rows=matrix(task, np.float64))
        rows, rank = read["rows"], task["rank"]

        def run():
            start = daal4py.implicit_als_training_init(nFactors=rank, method="fastCSR").compute(rows)
            training = daal4py.implicit_als_training(nFactors=rank, maxIterations=task["iterations"], alpha=task["alpha"],
                                                     lambda_=task["lambda"], method="fastCSR")
            return training.compute(rows, start.model).model

        # Its lambda is multiplied by a row's number of entries, like Spark's.
        model, reply = timed(run)
        np.asarray(model.UsersFactors, np.float32).tofile(f"{task['out']}.users.f32")
        np.asarray(model.ItemsFactors, np.float32).tofile(f"{task['out']}.items.f32")
        return reply

    return fit


def spark():
    from pyspark.ml.recommendation import ALS
    from pyspark.sql import SparkSession
    session = (SparkSession.builder.master("local[2]").config("spark.driver.memory", "6g")
               .config("spark.ui.enabled", "false").config("spark.driver.bindAddress", "127.0.0.1")
               .config("spark.driver.host", "127.0.0.1").config("spark.sql.shuffle.partitions", "8").getOrCreate())
    session.sparkContext.setLogLevel("ERROR")
    read = {}
    jvm = session.sparkContext._jvm.java.lang.ProcessHandle.current().pid()

    def processor():
        """Seconds of the processor that the JVM has had; fields 14 and 15 of proc(5)'s stat, past the name."""
        try:
            fields = open(f"/proc/{jvm}/stat").read().rsplit(")", 1)[1].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def fit(task):
        folder, out = task["folder"], task["out"]
        if read.get("folder") != folder:
            if read:
                read["frame"].unpersist()
            frame = session.read.csv(f"{folder}/pairs.csv", schema="user int, item int, rating float").repartition(8).cache()
            frame.count()
            read.update(folder=folder, frame=frame)
        # Spark multiplies lambda by a row's number of entries; it gets the same lambda as the others, as people set it.
        als = ALS(rank=task["rank"], maxIter=task["iterations"], regParam=task["lambda"], alpha=task["alpha"], seed=task["seed"],
                  implicitPrefs=True, userCol="user", itemCol="item", ratingCol="rating", numUserBlocks=2, numItemBlocks=2)
        began, used = time.perf_counter(), processor()
        model = als.fit(read["frame"])
        model.userFactors.count(), model.itemFactors.count()
        reply = dict(seconds=time.perf_counter() - began)
        if used is not None:
            reply["processorS"] = processor() - used
        for name, side, count in (("users", model.userFactors, task["users"]), ("items", model.itemFactors, task["items"])):
            dense = np.zeros((count, task["rank"]), np.float32)
            for row in side.toLocalIterator():
                dense[row.id] = row.features
            dense.tofile(f"{out}.{name}.f32")
        return reply

    return fit


fit = {"implicit": implicit, "irspack": irspack, "onedal": onedal, "spark": spark}[sys.argv[1]]()
for line in sys.stdin:
    print(json.dumps(fit(json.loads(line))), flush=True)
