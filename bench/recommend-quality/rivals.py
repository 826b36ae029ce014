# The rivals of bench/recommend-quality.ts, each tuned: on a tenth of what may be learned from, by NDCG@10, then fitted on all
# of it. FOLDER has starts.u32, columns.u32, values.f32 (a row a user); scores of everybody go to NAME.f32, users x items.
# EASE and item-kNN are written out in NumPy; ALS is implicit's (plain lambda) and irspack's (lambda x entries).
import contextlib, io, itertools, json, os, sys
import numpy as np
import scipy.linalg.lapack as lapack
import scipy.sparse as sparse

folder, users, items, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
read = lambda name, kind: np.fromfile(f"{folder}/{name}", kind)
whole = sparse.csr_matrix(
    (read("values.f32", np.float32), read("columns.u32", np.uint32).astype(np.int32), read("starts.u32", np.uint32).astype(np.int32)),
    shape=(users, items))


def split(matrix):
    pairs = matrix.tocoo()
    held = np.random.default_rng(seed).random(pairs.nnz) < 0.1
    part = lambda mask: sparse.csr_matrix((pairs.data[mask], (pairs.row[mask], pairs.col[mask])), shape=matrix.shape)
    return part(~held), part(held)


def ndcg(scores, train, held):
    discounts = 1 / np.log2(np.arange(10) + 2)
    total, count = 0.0, 0
    for user in np.flatnonzero((np.diff(held.indptr) > 0) & (np.diff(train.indptr) > 0)):
        wanted = held.indices[held.indptr[user]:held.indptr[user + 1]]
        own = scores[user].copy()
        own[train.indices[train.indptr[user]:train.indptr[user + 1]]] = -np.inf
        best = np.argpartition(-own, 10)[:10]
        best = best[np.argsort(-own[best], kind="stable")]
        total += (np.isin(best, wanted) * discounts).sum() / discounts[:min(10, len(wanted))].sum()
        count += 1
    return total / max(1, count)


def scaled(matrix, counts):
    copy = matrix.astype(np.float32).copy()
    copy.data = np.ones_like(copy.data) if counts == "binary" else np.log2(1 + copy.data)
    return copy


def ease(matrix, lam, counts):
    x = scaled(matrix, counts)
    gram = (x.T @ x).toarray()
    gram[np.diag_indices(items)] += lam
    factor, _ = lapack.spotrf(gram)
    inverse, _ = lapack.spotri(factor)
    inverse = np.triu(inverse) + np.triu(inverse, 1).T
    weights = -inverse / np.diag(inverse)
    weights[np.diag_indices(items)] = 0
    return x @ weights


kept = {}


def products(matrix, weighting):
    """One Gram matrix a weighting, whatever k and shrink are tried on it."""
    key = id(matrix), weighting
    if key not in kept:
        kept.clear()
        kept[key] = gram_of(matrix, weighting)
    return kept[key]


def gram_of(matrix, weighting):
    x = scaled(matrix, "binary" if weighting == "binary" else "log")
    if weighting == "idf":
        x = sparse.diags(np.log(items / (1 + np.diff(x.indptr)))).astype(np.float32) @ x
    if weighting == "bm25":
        length = np.asarray(x.sum(1)).ravel()
        norm = 0.8 * length / max(length.mean(), 1e-9) + 0.2
        x.data = (x.data * 101 / (100 * np.repeat(norm, np.diff(x.indptr)) + x.data)).astype(np.float32)
    return (x.T @ x).toarray()


def knn(matrix, weighting, k, shrink):
    gram = products(matrix, weighting)
    norms = np.sqrt(np.diag(gram))
    similar = np.outer(norms, norms)
    similar += np.float32(shrink + 1e-9)
    np.divide(gram, similar, out=similar)
    np.fill_diagonal(similar, 0)
    if k < items:
        bar = np.partition(similar, items - k, axis=1)[:, items - k:items - k + 1]
        similar[similar < bar] = 0
    return scaled(matrix, "binary") @ similar


def als(matrix, rank, lam, alpha):
    from implicit.als import AlternatingLeastSquares
    x = scaled(matrix, "log")
    x.data = 1 + alpha * x.data
    model = AlternatingLeastSquares(factors=rank, regularization=lam, alpha=1, iterations=10, random_state=seed, use_gpu=False)
    model.fit(x, show_progress=False)
    return model.user_factors @ model.item_factors.T


def weighted(matrix, rank, reg, alpha):
    from irspack import IALSRecommender
    model = IALSRecommender(scaled(matrix, "log"), n_components=rank, alpha0=alpha, reg=reg, nu=1.0, train_epochs=12, random_seed=seed, n_threads=2)
    # It draws its progress on the output.
    with contextlib.redirect_stdout(io.StringIO()):
        return model.learn().get_score(np.arange(users))


grids = {
    "ease": (ease, [(20, 50, 100, 200, 500), ("binary", "log")]),
    "knn": (knn, [("binary", "log", "idf", "bm25"), (50, 200, items), (0, 20)]),
    "als": (als, [(32, 64), (1, 10, 30), (0.5, 3)]),
    "weighted-als": (weighted, [(32, 64), (0.001, 0.003, 0.01), (0.05, 0.2)]),
}
train, held = split(whole)
for name, (fit, axes) in grids.items():
    if os.path.exists(f"{folder}/{name}.f32"):
        continue
    best = max(itertools.product(*axes), key=lambda options: ndcg(np.asarray(fit(train, *options)), train, held))
    np.asarray(fit(whole, *best), np.float32).tofile(f"{folder}/{name}.part")
    os.rename(f"{folder}/{name}.part", f"{folder}/{name}.f32")
    print(json.dumps({"name": name, "settings": best}), flush=True)
