"What the exercises on devices and half precision accept, and what they say to each mistake."

import torch

from helpers.course.exercises import Hint, exercise, near


@exercise("15-devices", "the mean gradient of unequal devices", "gradients, rows")
def check_devices(mean_over_devices):
    generator = torch.Generator().manual_seed(15)
    rows = [48, 12, 4]
    gradients = []
    for _ in rows:
        gradients.append(torch.randn(2, 3, generator=generator, dtype=torch.float64))
    before = [gradient.clone() for gradient in gradients]
    answer = mean_over_devices(gradients, list(rows))
    for gradient, copy in zip(gradients, before):
        if not torch.equal(gradient, copy):
            raise Hint(
                "You changed the gradients of the caller: `+=` and `*=` on a tensor work in "
                "place. Make new tensors, total = total + n * gradient."
            )
    if not torch.is_tensor(answer) or answer.shape != gradients[0].shape:
        raise Hint("Return one tensor, of the shape of each gradient.")

    total = sum(n * gradient for n, gradient in zip(rows, gradients))
    weighted_by_mistake = sum(gradient / n for n, gradient in zip(rows, gradients))
    if near(answer, sum(gradients) / len(gradients), 1e-9):
        raise Hint(
            "That is the plain average: each row of a small device counts for more than one "
            "of a large device. Weight each gradient by its number of rows."
        )
    if near(answer, sum(gradients), 1e-9):
        raise Hint("You add up the gradients. A mean over all rows is asked for.")
    if near(answer, total, 1e-9):
        raise Hint(
            "The weights are right, and their sum is 64 and not 1: divide by the number of "
            "rows of all devices."
        )
    if near(answer, total / len(rows), 1e-9):
        raise Hint(
            "You divide by the number of devices. The sum runs over 64 rows: divide by these."
        )
    if near(answer, total / max(rows), 1e-9):
        raise Hint("You divide by the rows of the largest device. Divide by those of all.")
    if near(answer, weighted_by_mistake, 1e-9):
        raise Hint(
            "You divide each gradient by its rows; it is a mean already. Multiply by the "
            "rows, and divide the sum by all of them."
        )
    if near(answer, gradients[0], 1e-9):
        raise Hint("Only the first device has entered.")
    if not near(answer, total / sum(rows), 1e-9):
        raise Hint(
            "With 48, 12 and 4 rows it should be 48/64 of the first gradient, 12/64 of the "
            "second and 4/64 of the third."
        )
    twice = mean_over_devices(gradients[:2], [32, 32])
    if not near(twice, (gradients[0] + gradients[1]) / 2, 1e-9):
        raise Hint(
            "Right for three devices with 64 rows, wrong for two with 32 each. Is a number "
            "of rows or devices written into your code?"
        )


@exercise("15-scaler", "the step of a loss scaler", "weights, gradients, scale, lr")
def check_scaler(scaled_step):
    start = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float32)
    # the last is so small that float16 holds it only when it is multiplied by the scale
    true = torch.tensor([0.25, -0.5, 2e-8])
    scale, lr = 2.0**15, 0.1
    gradients = (scale * true).half()

    def step(gradients, lr=lr):
        weights = start.clone()
        arguments = gradients.clone()
        answer = scaled_step(weights, arguments, scale, lr)
        same = torch.allclose(arguments, gradients, equal_nan=True)
        if not torch.equal(weights, start) or not same:
            raise Hint("You changed the tensors of the caller. Make new ones.")
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise Hint("Return two things: the new weights, and the scale for the next step.")
        new, next_scale = answer
        if not torch.is_tensor(new) or new.shape != start.shape:
            raise Hint("The first thing to return is the weights, a tensor of the same shape.")
        return new, float(next_scale)

    new, next_scale = step(gradients)
    moved = new - start
    right = -lr * gradients.float() / scale
    if near(moved, lr * gradients.float() / scale, 1e-6):
        raise Hint("Uphill: a step of descent is minus the rate times the gradient.")
    if near(new, start, 1e-9):
        raise Hint("All gradients are finite here, and the weights have not moved.")
    if near(new, start - lr * gradients.float(), 1e-6):
        raise Hint(
            "The step is too long by the scale: the gradients belong to the loss times "
            f"{scale:g}. Divide by it."
        )
    if near(new, start - gradients.float() / scale, 1e-6):
        raise Hint("The rate has not entered.")
    if not near(new, start + right, 1e-3):
        raise Hint(
            f"The first weight should go from 0.5 to {start[0] + right[0]:.4f}; yours goes to "
            f"{float(new[0]):.4f}."
        )
    if new.dtype != torch.float32:
        raise Hint(
            f"Your weights are {str(new.dtype).removeprefix('torch.')}. Weights stay float32: "
            "turn the gradients to float32 first."
        )
    if next_scale == scale / 2:
        raise Hint("All gradients are finite here: the scale should stay as it is.")
    if next_scale != scale:
        raise Hint(
            f"All gradients are finite here: the scale should stay {scale:g}; yours is "
            f"{next_scale:g}."
        )

    # a rate that shows what happened to the small gradient
    large = 1e6
    new, _ = scaled_step(torch.zeros(3, dtype=torch.float32), gradients.clone(), scale, large)
    if not near(new[2], -large * gradients[2].float() / scale, 1e-4):
        raise Hint(
            "The smallest gradient is lost: you divide in float16, where it becomes zero "
            "again. First to float32 with `.float()`, then divide."
        )

    if not near(new, -large * gradients.float() / scale, 1e-4):
        raise Hint(
            "The step is nearly right, and not exact: compute with float32 from the start, "
            "`gradients.float()`."
        )

    for worst in (float("inf"), -float("inf"), float("nan")):
        broken = gradients.clone()
        broken[1] = worst
        new, next_scale = step(broken)
        if not new.isfinite().all():
            raise Hint(
                f"A gradient is {worst:g}, and it goes into the weights. Look first: where one "
                "is not finite, the update is left out."
            )
        if not torch.equal(new, start):
            raise Hint(
                f"A gradient is {worst:g}, and the other weights move. Leave the whole update "
                "out: all gradients come from the same overflow."
            )
        if next_scale == 2 * scale:
            raise Hint("After an overflow the scale should become smaller, not larger.")
        if next_scale != scale / 2:
            raise Hint(
                f"A gradient is {worst:g}: the scale for the next step should be half as "
                f"large, {scale / 2:g}; yours is {next_scale:g}."
            )


@exercise("15-shares", "who gets how many rows", "n, bs, parts, devices")
def check_shares(shared_out):
    def ask(*arguments):
        answer = shared_out(*arguments)
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise Hint("Return two numbers: rows at a time on a device, and updates in an epoch.")
        return tuple(answer)

    # n, bs, parts, devices: all of them different, and one epoch that comes out even
    cases = [(1000, 64, 2, 4), (640, 64, 4, 1), (100, 32, 1, 2), (65, 64, 2, 2)]
    right = [(8, 16), (16, 10), (16, 4), (16, 2)]
    answers = [ask(*case) for case in cases]
    if answers == right:
        return
    at_a_time = [answer[0] for answer in answers]
    updates = [answer[1] for answer in answers]
    if answers == [pair[::-1] for pair in right]:
        raise Hint("The two numbers are exchanged: first the rows at a time, then the updates.")
    if at_a_time == [bs // parts for _, bs, parts, _ in cases]:
        raise Hint("You share the update out to parts, and not to devices.")
    if at_a_time == [bs // devices for _, bs, _, devices in cases]:
        raise Hint("You share the update out to devices, and not to parts.")
    if at_a_time == [bs for _, bs, _, _ in cases]:
        raise Hint(
            "That is the whole update. It is shared out to the devices, and each share is "
            "sent in parts."
        )
    for (_, bs, parts, devices), got, true in zip(cases, answers, right):
        if got[0] != true[0]:
            raise Hint(
                f"With updates of {bs} rows, {parts} parts and {devices} devices, {true[0]} "
                f"rows go through a net at a time; yours is {got[0]}."
            )
    if updates == [n // bs for n, bs, _, _ in cases]:
        raise Hint("Round up: the end of an epoch makes an update of what is left.")
    if updates == [n // bs + 1 for n, bs, _, _ in cases]:
        raise Hint("Where an epoch comes out even, nothing is left for another update.")
    if updates == [-(-n // (bs * devices)) for n, bs, _, devices in cases]:
        raise Hint(
            "`bs` rows are an update on all devices together: more devices do not make fewer "
            "updates."
        )
    if updates == [-(-n // true[0]) for (n, _, _, _), true in zip(cases, right)]:
        raise Hint(
            "That is how many times rows are sent through a net. An update comes after `bs` "
            "rows, in however many parts."
        )
    for (n, bs, _, _), got, true in zip(cases, answers, right):
        if got[1] != true[1]:
            raise Hint(f"{n} rows in updates of {bs} are {true[1]} updates; yours is {got[1]}.")
    raise Hint("Return whole numbers.")
