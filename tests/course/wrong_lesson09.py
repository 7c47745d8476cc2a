"Plausible wrong answers to the exercises of lesson 09."

import torch
import torch.nn.functional as F
from torch import nn


def one_hot(columns=len, shift=0, rows_first=True, dtype=None, only=None, whole_rows=False):
    def rows_by_product(indices, table):
        matrix = torch.zeros(
            len(indices),
            columns(table) if columns else int(indices.max()) + 1,
            dtype=dtype or table.dtype,
        )
        if whole_rows:
            matrix[indices.clamp(max=len(indices) - 1)] = 1
        else:
            matrix[range(len(indices)), indices - shift] = 1
        product = table[indices]
        return (
            product
            if only == "product"
            else (
                matrix
                if only == "matrix"
                else (
                    matrix if rows_first else matrix.T,
                    product.T if only == "turned" else product,
                )
            )
        )

    return rows_by_product


def multiplied(columns, turned=False, table_first=False, dtype=torch.float32):
    "Really multiplies, so that PyTorch complains first."

    def rows_by_product(indices, table):
        matrix = torch.zeros(len(indices), columns(indices, table), dtype=dtype)
        matrix[range(len(indices)), indices] = 1
        if turned:
            matrix = matrix.T
        return matrix, table @ matrix if table_first else matrix @ table

    return rows_by_product


def gradient(kind):
    def table_gradient(indices, output_gradient, rows):
        table, ones = (
            torch.zeros(rows, output_gradient.shape[1], dtype=output_gradient.dtype),
            F.one_hot(indices, rows).to(output_gradient.dtype),
        )
        if kind == "overwritten":
            table[indices] = output_gradient
        if kind == "plus equals":
            table[indices] += output_gradient
        right = ones.T @ output_gradient
        return {
            "turned": right.T,
            "rows": output_gradient,
            "sign": -right,
            "mean": right / ones.sum(0).clamp(min=1)[:, None],
            "per index": right / len(indices),
            "counts": ones.T,
            "only named": right[indices.unique()],
            "doubled": 2 * right,
            "sizes": right[:6] if rows == 6 else torch.zeros(6, 3),
            "largest": right[: int(indices.max()) + 1],
            "zeros": torch.zeros_like(right),
        }.get(kind, table)

    return table_gradient


def dot(
    combine=lambda u, f: (u * f).sum(1),
    bias=True,
    add=lambda dot, u, f: dot + u[:, 0] + f[:, 0],
    parent=True,
    table=lambda n, k: nn.Parameter(torch.randn(n, k)),
    turned=False,
    finish=lambda x: x,
):
    class DotProduct(nn.Module):
        def __init__(self, users, films, factors):
            if parent:
                super().__init__()
            self.u, self.f = (
                (table(factors, users), table(factors, films))
                if turned
                else (table(users, factors), table(films, factors))
            )
            if bias:
                self.bu, self.bf = table(users, 1), table(films, 1)

        def forward(self, user, film):
            u, f = (self.u.T[user], self.f.T[film]) if turned else (self.u[user], self.f[film])
            return finish(
                add(combine(u, f), self.bu[user], self.bf[film]) if bias else combine(u, f)
            )

    return DotProduct


WRONG = {
    "09-one-hot": [
        (one_hot(columns=None), "largest index"),
        (one_hot(shift=1), "too far left"),
        (one_hot(rows_first=False), "on its side"),
        (one_hot(dtype=torch.int64), "floating numbers"),
        (one_hot(only="product"), "Return two things"),
        (one_hot(only="matrix"), "Return two things"),
        (one_hot(whole_rows=True), "more than one 1"),
        (one_hot(columns=lambda table: table.shape[1]), "one for each *row*"),
        (one_hot(only="turned"), "matrix@table"),
        (lambda i, t: (F.one_hot(i) @ t, t[i]), "largest index"),
        (lambda i, t: (torch.eye(3, dtype=t.dtype), t[i]), "one for each index"),
        (multiplied(lambda i, t: int(i.max()) + 1), "largest index"),
        (multiplied(lambda i, t: t.shape[1]), "one for each *row*"),
        (multiplied(lambda i, t: len(i)), "one for each index"),
        (multiplied(lambda i, t: len(t), turned=True), "on its side"),
        (multiplied(lambda i, t: len(t), table_first=True), "stands first"),
        (multiplied(lambda i, t: len(t), dtype=torch.int64), "floating numbers"),
        (
            lambda i, t: (m := torch.zeros(3, 6), m.__setitem__(i, 1), m @ t)[::2],
            "used for its rows",
        ),
        (
            lambda i, t: (m := F.one_hot(torch.tensor([3, 0, 3]), 6).float(), m @ t[:6]),
            "written into",
        ),
    ],
    "09-gradient": [
        (gradient("overwritten"), "added up"),
        (gradient("plus equals"), "writes twice"),
        (gradient("turned"), "transposed"),
        (gradient("rows"), "row of the table it came from"),
        (gradient("sign"), "sign"),
        (gradient("mean"), "full gradient"),
        (gradient("per index"), "number of indices"),
        (gradient("counts"), "counts"),
        (gradient("only named"), "shape of the table"),
        (gradient("doubled"), "rows 2, 3 and 5"),
        (gradient("sizes"), "sizes written"),
        (gradient("largest"), "use `rows`"),
        (gradient("zeros"), "index_add_ changes"),
    ],
    "09-dot-product": [
        (dot(parent=False), "super().__init__()"),
        (dot(table=torch.randn), "plain tensor"),
        (dot(bias=False), "no biases"),
        (dot(turned=True), "row for each name"),
        (dot(table=lambda n, k: nn.Parameter(torch.zeros(n, k))), "start at zero"),
        (dot(table=lambda n, k: nn.Parameter(torch.ones(n, k))), "start equal"),
        (dot(combine=lambda u, f: u @ f.T), "every user with every film"),
        (dot(combine=lambda u, f: (u * f).sum(1), add=lambda d, u, f: d + u + f), "broadcast"),
        (
            dot(combine=lambda u, f: (u * f).sum(1, keepdim=True), add=lambda d, u, f: d + u + f),
            "without keepdim",
        ),
        (dot(combine=lambda u, f: u * f, add=lambda d, u, f: d + u + f), "not been summed"),
        (dot(combine=lambda u, f: (u * f).sum()), "whole batch"),
        (dot(combine=lambda u, f: (u * f).sum(0)), "dim 1"),
        (dot(combine=lambda u, f: (u * f).mean(1)), "mean"),
        (dot(add=lambda d, u, f: d), "not added"),
        (dot(add=lambda d, u, f: d + u[:, 0]), "film's bias"),
        (dot(add=lambda d, u, f: d + f[:, 0]), "user's bias"),
        (dot(finish=torch.sigmoid), "lesson 10"),
        (dot(combine=lambda u, f: (u + f).sum(1)), "are added"),
        (dot(finish=torch.Tensor.detach), "no gradient"),
        (dot(combine=lambda u, f: (u * f).sum(1, keepdim=True)), "without keepdim"),
        (dot(combine=lambda u, f: u * f), "not been summed"),
        (dot(add=lambda d, u, f: (d[:, None] + u + f).squeeze()), "single pair"),
        (lambda u, f, k: None, "class itself"),
    ],
}
