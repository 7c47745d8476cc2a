"Plausible wrong answers to the exercises of lesson 14."

import torch


def loop(rows=True, mean=True, reset="grad", more=False, give=True, fixed=None, late=False):
    def train_epoch(weights, batches, loss, lr, accum):
        seen = 0
        for x, y in batches:
            share = {
                True: len(x) / accum,
                False: 1.0,
                "batches": 1 / len(batches),
                "accum": 1 / accum,
                "four": 1 / 4,
            }[mean]
            (loss(weights, x, y) * share).backward()
            seen += len(x) if rows else 1
            if seen > accum if more else seen >= (fixed or accum):
                weights.data.sub_(lr * weights.grad)
                if reset == "data":
                    weights.data.zero_()
                if reset == "grad":
                    weights.grad.zero_()
                seen = 0
        return weights if give else None

    return train_epoch


def groups(
    divide=lambda seen, accum, total: seen,
    keep_rest=True,
    plain=False,
    more=False,
    sum_only=False,
    carry=False,
    in_place=False,
    always=False,
):
    def group_gradients(gradients, sizes, accum):
        found, total, seen, parts = [], 0, 0, 0
        for n, (gradient, size) in enumerate(zip(gradients, sizes), start=1):
            if in_place and parts:
                total += size * gradient
            elif in_place:
                total = gradient.mul_(size)
            else:
                total = total + (gradient if plain else size * gradient)
            seen, parts = seen + size, parts + 1
            full = seen > accum if more else seen >= accum
            if full or (keep_rest and n == len(sizes)):
                found.append(
                    total
                    if sum_only
                    else total / (parts if plain else divide(seen, accum, sum(sizes)))
                )
                total, seen, parts = (total if carry else 0), 0, 0
        if always:
            found.append(total / max(seen, 1) if torch.is_tensor(total) else torch.zeros(2, 3))
        return found

    return group_gradients


def last_by_accum(gradients, sizes, accum):
    found, total, seen = [], 0, 0
    for gradient, size in zip(gradients, sizes):
        total, seen = total + size * gradient, seen + size
        if seen >= accum:
            found.append(total / seen)
            total, seen = 0, 0
    return found + ([total / accum] if seen else [])


def fits(
    own=2,
    margin=1.1,
    cuda=0.5e9,
    part=lambda batch, accum: -(-batch // accum),
    use_copies=True,
    whole=False,
    turn=False,
    room_of=lambda room: room,
):
    def answer(parameters, per_picture, batch, accum, copies, room=16e9):
        need = parameters * (own + (copies if use_copies else 0)) + per_picture * part(batch, accum)
        if whole:
            need = (parameters * (own + copies) + per_picture * batch) / accum
        return (margin * need + cuda <= room_of(room)) != turn

    return answer


def off_the_room(cuda):
    return lambda parameters, per_picture, batch, parts, copies, room=16e9: (
        parameters * (2 + copies) + per_picture * -(-batch // parts) + cuda <= 0.9 * room
    )


def never_over(gradients, sizes, accum):
    found, total, seen = [], 0, 0
    for gradient, size in zip(gradients, sizes):
        if seen and seen + size > accum:
            found.append(total / seen)
            total, seen = 0, 0
        total, seen = total + size * gradient, seen + size
    return found + [total / seen]


WRONG = {
    "14-loop": [
        (loop(rows=False), "Count rows"),
        (loop(rows=False, mean=False, more=True, reset="data"), "Count rows"),
        (loop(reset="data"), "throws away the model"),
        (loop(mean=False), "four times too long"),
        (loop(reset="nothing"), "never zeroed"),
        (loop(more=True), "Compare with `>=`"),
        (loop(mean="batches"), "number of all batches"),
        (loop(mean="accum"), "stands for 16 of the 64"),
        (loop(fixed=1), "four places"),
        (loop(give=False), "returned None"),
        (loop(mean="four"), "written into your code"),
        (loop(fixed=64), "written into your code"),
    ],
    "14-groups": [
        (groups(keep_rest=False), "are lost"),
        (groups(divide=lambda seen, accum, total: accum), "1.125"),
        (last_by_accum, "less than half as long"),
        (groups(plain=True), "mean of the two means"),
        (groups(sum_only=True), "do not divide"),
        (groups(divide=lambda seen, accum, total: total), "all 100 rows"),
        (groups(carry=True), "empty sum"),
        (groups(in_place=True), "in place"),
        (groups(more=True, divide=lambda seen, accum, total: seen), "fill a group exactly"),
        (groups(always=True), "You return 3"),
        (never_over, "48 and 52"),
        (lambda gradients, sizes, accum: sum(gradients) / 5, "Return a list"),
        (lambda gradients, sizes, accum: gradients, "You return 5"),
    ],
    "14-fits": [
        (fits(part=lambda batch, accum: batch), "parts does not matter"),
        (fits(part=lambda batch, accum: min(accum, batch)), "number of pictures at a time"),
        (off_the_room(0.0), "tenth off the room"),
        (off_the_room(0.5e9), "tenth off the room"),
        (fits(own=1), "not their gradients"),
        (fits(margin=1.0), "tenth to spare"),
        (fits(cuda=0.0), "half gigabyte"),
        (fits(whole=True), "divide everything"),
        (fits(use_copies=False), "what the optimizer keeps"),
        (fits(part=lambda batch, accum: batch // accum), "Round up"),
        (fits(turn=True), "other way round"),
        (fits(room_of=lambda room: 16e9), "argument `room`"),
        (lambda *args, **kwargs: 12.3, "True or False"),
        (lambda p, a, b, k, c, room=16e9: True, "it should be False"),
    ],
}
