# The fit on Spark MLlib: reads the pairs that prepare wrote, fits each part of them, and writes the factors that publish
# reads.
#
#   spark-submit als.py --folder s3://BUCKET/training/RUN --rank 10 --iterations 5 --lambda 0.01 --alpha 1 --seed 1
#
# FOLDER/pairs/*.csv has no header: user, repository, pulls, learned from in the random split (0 or 1), pulls before the
# newest tenth (0: none), first pull (milliseconds). FOLDER/factors/PART gets lines "repository,factor,factor,…"; a
# repository without entries in a part has no line. Users' factors follow from their pulls: serve folds them in.
import argparse
import time

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import col, concat_ws

options = argparse.ArgumentParser()
options.add_argument("--folder", required=True)
options.add_argument("--rank", type=int, required=True)
options.add_argument("--iterations", type=int, required=True)
options.add_argument("--lambda", type=float, required=True, dest="regularization")
options.add_argument("--alpha", type=float, required=True)
options.add_argument("--seed", type=int, required=True)
given = options.parse_args()

spark = SparkSession.builder.appName("whalewatch-als").getOrCreate()
print("started", flush=True)
pairs = spark.read.csv(
    f"{given.folder}/pairs/", schema="user INT, item INT, pulls FLOAT, learn INT, earlier FLOAT, first LONG"
).cache()
parts = {
    "all": pairs,
    "random": pairs.where("learn = 1"),
    "byTime": pairs.where("earlier > 0").select("user", "item", col("earlier").alias("pulls")),
}


def fit(entries):
    # Calls Spark's own class through its gateway: pyspark.ml would need numpy, which Spark's image may lack. Here lambda
    # is multiplied by the number of a row's entries ("ALS-WR"); in functions/core/recommender/als.ts it is not.
    als = spark._jvm.org.apache.spark.ml.recommendation.ALS()
    als.setImplicitPrefs(True)
    als.setUserCol("user").setItemCol("item").setRatingCol("pulls")
    als.setRank(given.rank).setMaxIter(given.iterations).setSeed(given.seed)
    als.setRegParam(given.regularization).setAlpha(given.alpha)
    # As many blocks as Spark works on at a time: its default of 10 is too many for one machine.
    blocks = max(2, min(64, spark.sparkContext.defaultParallelism))
    als.setNumUserBlocks(blocks).setNumItemBlocks(blocks)
    return als.fit(entries._jdf)


def write(factors, part):
    rows = DataFrame(factors, spark)
    rows.select(concat_ws(",", col("id").cast("string"), col("features").cast("array<string>"))).write.mode(
        "overwrite"
    ).text(f"{given.folder}/factors/{part}")


for part, entries in parts.items():
    if entries.isEmpty():
        continue
    began = time.monotonic()
    write(fit(entries).itemFactors(), part)
    # The seconds of the first part include reading the pairs.
    print(f"{part}: fitted in {time.monotonic() - began:.1f} s", flush=True)
spark.stop()
