# EASE's inverse with NumPy in double and SciPy in single: FOLDER USERS ITEMS LAMBDA LISTS. The last line is JSON; lists.u32
# has the best ten of the first users by all weights in double.
import json, sys, time
import numpy as np
import scipy.linalg.lapack as lapack
import scipy.sparse as sparse

folder, users, items, lam, lists = sys.argv[1], *map(int, sys.argv[2:])
starts, columns = (np.fromfile(f"{folder}/{name}.u32", np.uint32).astype(np.int32) for name in ("starts", "columns"))
rows = sparse.csr_matrix((np.ones(len(columns), np.float32), columns, starts), shape=(users, items))
gram = (rows.T @ rows).toarray()
gram[np.diag_indices(items)] += lam


def timed(run):
    began, used = time.perf_counter(), time.process_time()
    result = run()
    return result, dict(seconds=time.perf_counter() - began, processorS=time.process_time() - used)


def cholesky():
    factor, failed = lapack.spotrf(gram, overwrite_a=False)
    inverse, failed = lapack.spotri(factor, overwrite_c=True)
    return inverse


_, single = timed(cholesky)
inverse, double = timed(lambda: np.linalg.inv(gram.astype(np.float64)))
weights = -inverse / np.diag(inverse)
weights[np.diag_indices(items)] = 0
scores = rows[:lists] @ weights
scores[rows[:lists].nonzero()] = -np.inf
np.argsort(-scores, axis=1, kind="stable")[:, :10].astype(np.uint32).tofile(f"{folder}/lists.u32")
print(json.dumps(dict(numpyDouble=double, scipySingle=single)))
