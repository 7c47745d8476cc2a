"Wrong answers that are no wrong solutions of a pure function, with words of the fitting hint."

import math
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from helpers.course.exercises import exercises
from helpers.data.digits import stand_in_digits
from helpers.data.films import stand_in_ratings
from helpers.data.tables import stand_in_stores
from helpers.recommend import linear_autoencoder


def right(name):
    "The right solution of an exercise, to be spoilt."
    return exercises(name[:2])[name].solutions()[0][0]


def endless(*args):
    while True:
        pass


# Lesson 03


class NoSuper(nn.Module):
    def __init__(self, inputs, outputs):
        self.weight = nn.Parameter(torch.rand(outputs, inputs) / inputs**0.5)


def small(outputs, inputs):
    return (torch.rand(outputs, inputs) * 2 - 1) / inputs**0.5


def linear(start=small, bias=True, parameter=nn.Parameter, add=True, turned=False):
    "An affine layer with mistakes."

    class MyLinear(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            weight = start(outputs, inputs)
            self.weight = parameter(weight.T if turned else weight)
            if bias:
                self.bias = parameter(torch.zeros(outputs))

        def forward(self, xb):
            outputs = xb @ (self.weight if turned else self.weight.T)
            return outputs + self.bias if bias and add else outputs

    return MyLinear


def train_step(guard=True, zero=True, sign=-1, rebind=False, item=True, before=True):
    "A step of plain SGD with mistakes."

    def step(model, xb, yb, lr):
        loss = F.cross_entropy(model(xb), yb)
        loss.backward()
        with torch.set_grad_enabled(not guard):
            for p in model.parameters():
                if rebind:
                    p = p + sign * lr * p.grad
                else:
                    p += sign * lr * p.grad
                if zero and p.grad is not None:
                    p.grad.zero_()
        if not before:
            loss = F.cross_entropy(model(xb), yb)
        return loss.item() if item else loss

    return step


def other_loss(loss_of):
    "A step of plain SGD with another loss."

    def step(model, xb, yb, lr):
        loss = loss_of(model(xb), yb)
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= lr * p.grad
                p.grad = None
        return loss.item()

    return step


def with_optimizer(model, xb, yb, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    loss = F.cross_entropy(model(xb), yb)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


class Wrapped(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, xb):
        return self.linear(xb)


class Inherited(nn.Linear):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)


class Unwritten(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()

    def forward(self, xb):
        raise NotImplementedError


def causes(letters):
    names = (
        "as it should be",
        "learning rate too low",
        "learning rate too high",
        "gradients never zeroed",
        "labels of other pictures",
    )
    return dict(zip(names, letters))


def training(models=1, zero=True, rows="all", result=True, before=False, uphill=False):
    "The function of the bug exercise with mistakes."

    def train_new(make_model, batches, lr):
        made = [make_model() for _ in range(models)]
        model = made[-1]
        optimizer = torch.optim.SGD(made[0].parameters(), lr=lr, maximize=uphill)
        for xb, yb in {"all": batches, "last": batches[-1:], "first": batches[:1]}[rows]:
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            if before:
                optimizer.zero_grad()
            optimizer.step()
            if zero:
                optimizer.zero_grad()
        return model if result else loss

    return train_new


def patterns():
    "Ten noisy patterns in place of digits."
    generator = torch.Generator().manual_seed(0)
    shapes = torch.rand(10, 784, generator=generator)

    def part(rows):
        y = torch.randint(10, (rows,), generator=generator)
        x = 0.2 * shapes[y] + 0.3 * torch.randn(rows, 784, generator=generator)
        return x, y

    return SimpleNamespace(train=part(5000), valid=part(500))


def unwritten_epoch(net, x, y):
    raise NotImplementedError


def epoch_of(lr=0.01, times=1):
    "An epoch of plain Adam, or several."

    def my_epoch(net, x, y):
        optimizer = torch.optim.Adam(net.parameters(), lr)
        for _ in range(times):
            for xb, yb in zip(x.split(64), y.split(64)):
                optimizer.zero_grad()
                F.cross_entropy(net(xb), yb).backward()
                optimizer.step()

    return my_epoch


def entry(lr, bs):
    "An entry of lesson 03's open challenge."
    return patterns(), {"lr": lr, "bs": bs}


def no_backward(model, xb, yb, lr):
    loss = F.cross_entropy(model(xb), yb)
    with torch.no_grad():
        for p in model.parameters():
            p -= lr * p.grad
    return loss.item()


def targets_first(model, xb, yb, lr):
    return F.cross_entropy(yb, model(xb)).item()


# Lesson 04


def rules(letters):
    return dict(zip(("plain", "momentum, damped", "RMSProp", "Adagrad", "Adam"), letters))


def own_adam(lr, updates=math.inf):
    "Adam, annealed if the number of updates is finite."

    def rule(gradient, state):
        rate = lr * (1 - state.step / updates)
        state.step += 1
        state.average = 0.9 * state.average + 0.1 * gradient
        state.squares = 0.999 * state.squares + 0.001 * gradient**2
        m = state.average / (1 - 0.9**state.step)
        return rate * m / (np.sqrt(state.squares / (1 - 0.999**state.step)) + 1e-8)

    return rule


# Lessons 05 and 08


def sign_step(rule=torch.sign, guard=True, sign=-1, rebind=False, first=False, clear=False):
    "The step of sign descent with mistakes."

    def step(params, lr):
        with torch.set_grad_enabled(not guard):
            for p in params:
                if p.grad is None:
                    continue
                if rebind:
                    p = p + sign * lr * rule(p.grad)
                else:
                    p += sign * lr * rule(p.grad)
                if clear:
                    p.grad = None
                if first:
                    return params
        return params

    return step


def careless_sign_step(params, lr):
    with torch.no_grad():
        for p in params:
            p -= lr * torch.sign(p.grad)
    return params


def long_sign_step(params, lr):
    return sign_step()(params, 1.0)


def decaying_sign_step(params, lr):
    with torch.no_grad():
        for p in params:
            p -= lr * (torch.sign(p.grad) if p.grad is not None else p)
    return params


def adams(letters):
    names = (
        "as it should be",
        "no bias correction",
        "eps inside the root",
        "averages kept on the parameter",
    )
    return dict(zip(names, letters))


class Unstepped:
    def __init__(self, params):
        pass


class UnwrittenStep(Unstepped):
    def step(self):
        raise NotImplementedError


def floors(letter, ten=1.4612, two=0.3133):
    "Findings about the loss that stops at a floor."
    return {"mistake": letter, "lowest, 10 classes": ten, "lowest, 2 classes": two}


def at_temperature(temperature):
    return lambda logits, targets, new_logits: (new_logits / temperature).softmax(-1)


def all_or_nothing(logits, targets, new_logits):
    return F.one_hot(new_logits.argmax(-1), logits.shape[-1]).float()


def by_torch(make, **options):
    "A class in which one of PyTorch's optimizers does the work."

    class Optimizer:
        def __init__(self, params):
            self.optimizer = make(params, **options)

        def step(self):
            self.optimizer.step()

    return Optimizer


def curves(letters):
    return dict(zip(("overfitting", "too much decay", "not finished", "dropout"), letters))


def decay_of(a, b, c):
    return {"A": a, "B": b, "C": c}


def untrained(x, y):
    return nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))


def unwritten_training(x, y):
    raise NotImplementedError


def short_training(x, y):
    "Ten epochs of Adam, nothing else."
    net = untrained(x, y)
    optimizer = torch.optim.Adam(net.parameters(), 0.005)
    for _ in range(10):
        for rows in torch.randperm(len(x)).split(125):
            optimizer.zero_grad()
            F.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
    return net


# Lesson 09


def random_table(rows, columns):
    return nn.Parameter(torch.randn(rows, columns))


def dot_product(users, films):
    return (users * films).sum(1)


def first_column(dot, user_bias, film_bias):
    return dot + user_bias[:, 0] + film_bias[:, 0]


def whole_biases(dot, user_bias, film_bias):
    return dot + user_bias + film_bias


def squeezed(dot, user_bias, film_bias):
    return (dot[:, None] + user_bias + film_bias).squeeze()


def unchanged(predictions):
    return predictions


def ratings(
    combine=dot_product, add=first_column, table=random_table, finish=unchanged, **mistakes
):
    "A model of ratings with mistakes."

    class DotProduct(nn.Module):
        def __init__(self, users, films, factors):
            if not mistakes.get("no_super"):
                super().__init__()
            sides = (factors, users) if mistakes.get("turned") else (users, factors)
            self.users = table(*sides)
            sides = (factors, films) if mistakes.get("turned") else (films, factors)
            self.films = table(*sides)
            if not mistakes.get("no_bias"):
                self.user_bias = table(users, 1)
                self.film_bias = table(films, 1)

        def forward(self, user, film):
            dot = combine(self.users[user], self.films[film])
            return finish(add(dot, self.user_bias[user], self.film_bias[film]))

    return DotProduct


def constant(table):
    return lambda rows, columns: nn.Parameter(table(rows, columns))


# Lesson 16


def labels(sample, answers):
    return [answers[name] for name in sample]


def refusing(message, when=lambda sample, answers: set(sample) != set(answers), then=labels):
    "Labels, unless there is something to refuse, and then with this message."

    def in_order(sample, answers):
        if when(sample, answers):
            raise ValueError(message(sample, answers))
        return then(sample, answers)

    return in_order


def difference(sample, answers):
    return f"{set(sample) ^ set(answers)}"


def missing(sample, answers):
    return [name for name in sample if name not in answers]


def unequal_number(sample, answers):
    return len(sample) != len(answers)


def with_default(sample, answers):
    return [answers.get(name, "normal") for name in sample]


def alphabetical(sample, answers):
    return labels(sorted(sample), answers)


# Lesson 17


def two_losses(outputs, disease, variety, diseases):
    return right("17-slice")(outputs, disease, variety, diseases)


def detached(first, second):
    "The losses on outputs of which the gradient of a part is lost."

    def losses(outputs, disease, variety, diseases):
        one = outputs[:, :diseases]
        other = outputs[:, diseases:]
        one = one.detach() if first else one
        other = other.detach() if second else other
        return F.cross_entropy(one, disease) + F.cross_entropy(other, variety)

    return losses


def half_detached(*arguments):
    outputs, *rest = arguments
    return (two_losses(*arguments) + two_losses(outputs.detach(), *rest)) / 2


def three_columns(outputs, disease, variety, diseases):
    one = F.cross_entropy(outputs[:, :3], disease.clamp(max=2))
    return one + F.cross_entropy(outputs[:, 3:], variety.clamp(max=outputs.shape[1] - 4))


def gradient(loss, width, start=torch.randn, rows=8, ask=True, backward=True):
    outputs = start(rows, width, requires_grad=ask)
    result = loss(outputs)
    if backward:
        result.backward()
    return outputs.grad


def positions(marks):
    return marks.nonzero().flatten().tolist()


def trained(pick=lambda g: positions(g.abs().sum(0)), **options):
    "The columns picked from a gradient, which may have been found in a wrong way."
    return lambda loss, width: pick(gradient(loss, width, **options))


# Lesson 11


def clubs(*words):
    return dict(zip("ABCD", words))


def unwritten_scores(pairs, stars, users, items):
    raise NotImplementedError


def random_scores(pairs, stars, users, items):
    return torch.rand(users, items)


def counted(pairs, stars, users, items):
    return torch.bincount(pairs[:, 1], minlength=items).float().expand(users, items)


def timid(pairs, stars, users, items):
    "The linear layer with too heavy a penalty."
    marks = torch.zeros(users, items)
    marks[pairs[:, 0], pairs[:, 1]] = stars / 5
    return marks @ linear_autoencoder(marks, 1000.0)


# Lesson 12


def to_work(a="trees", b="usual", c="net"):
    return {"A": a, "B": b, "C": c}


def unwritten_forecast(past, future):
    raise NotImplementedError


def mean_forecast(past, future):
    return np.full(len(future), past.sales.mean())


def shop_forecast(past, future):
    "The mean of each shop: no weekday, no promotion."
    return future.store.map(past.groupby("store").sales.mean())


def half_forecast(past, future):
    "Usual sales, with a factor for the shop's last six weeks."
    alike = ["store", "dayofweek", "promo"]
    medians = past.groupby(alike).sales.median().rename("usual")
    usual = future.join(medians, on=alike).usual.fillna(past.sales.median())
    late = past[past.date > past.date.max() - np.timedelta64(42, "D")]
    ratio = late.sales / late.join(medians, on=alike).usual
    return usual * ratio.median() ** 0.1


WRONG = {
    "01-update": [
        (lambda a, b, x, y, lr: None, "returned None"),
        (lambda a, b, x, y, lr: (1.6022, 0.5073), "Right for one example"),
        (lambda a, b, x, y, lr: 1.1204, "Return two numbers"),
        (lambda a, b, x, y, lr: 1 / 0, "ZeroDivisionError"),
    ],
    "01-gradient-checker": [(endless, "never ends")],
    "01-largest-rate": [
        (1 / 51.735, "one update"),
        (2 / 0.57662, "along the floor"),
        (51.735 * 2, "divide by the curvature"),
        (2 / 5032.58, "x as it was"),
        (0.04, "too far"),
        (0.038, "slightly larger"),
        (0.001, "For which rate"),
        ("fast", "One number"),
    ],
    "01-tens": [
        (51.735 / 0.57662, "again and again"),
        (5884, "`across_tens` and `along_tens`"),
        (30.57, "2/across"),
        (12020.5, "learning rate of 0.0001"),
        (1 - 0.57662 / 51.735, "factor of one update"),
        (-61.84, "is positive"),
        (1 / 61.84, "quotient over"),
        (123.7, "Half of the distance"),
        (600, "Find the factor"),
        ("about 60", "One number"),
    ],
    "01-bug": [(lambda x, y, lr, epochs: None, "returned None")],
    "01-two-rates": [
        (1e-4, "Two numbers"),
        ((..., 1e-4), "1 of 2"),
        ((1e-4, 1e-4), "No single learning rate"),
        ((1e-3, 0.1), "too large"),
        ((-1e-4, 0.1), "or negative"),
        ((0.1, float("nan")), "too large"),
        ((1e-4, 1e-5), "Which of the two"),
        ((1e-4, 1e-2), "ten times"),
        ((1e-5, 0.1), "You are near"),
    ],
    "02-hat": [
        ([1, -1, 0], "CHANGE of the slope"),
        ([1, -1, 1], "must do more"),
        ([-1, 2, -1], "change the signs"),
        ([1, -2, 0], "level again"),
        ([2, -4, 2], "not one high"),
        ([1, -2, 3], "At t = -1, 0, 1 and 2 your sum is 0, 1, 0 and 2."),
        ([1, -2], "you gave 2"),
        (["up", "down", "up"], "three numbers"),
        ([1, ..., 1], "1 of 3"),
    ],
    "02-start": [
        ({"units": 20, "scale": 1, "lr": 0.02}, "bend too seldom"),
        ({"units": 50, "scale": 3, "lr": 0.05}, "diverges"),
        ({"units": 50, "scale": 0.1, "lr": 0.01}, "almost equal"),
        ({"units": 50, "scale": 0.5, "lr": 0.01}, "but slowly"),
        ({"units": 100, "scale": 1, "lr": 0.02}, "near the limit"),
        ({"units": 500, "scale": 1, "lr": 0.01}, "from 1 to 100"),
        ({"units": float("nan"), "scale": 1, "lr": 0.01}, "from 1 to 100"),
        ({"units": 50, "scale": 1, "lr": -0.01}, "larger than 0"),
        ({"units": 50, "scale": "small", "lr": 0.01}, "is a number"),
        ({"units": 50, "scale": ..., "lr": 0.01}, "1 of 3"),
        (0.02, "A dictionary"),
    ],
    "03-data-loader": [(lambda x, y, bs, order: 3, "something to loop over")],
    "03-my-linear": [
        (NoSuper, "super().__init__()"),
        (linear(parameter=lambda t: t), "empty"),
        (linear(bias=False), "no bias"),
        (linear(turned=True), "turned round"),
        (linear(torch.zeros), "start equal"),
        (linear(torch.randn), "too large"),
        (linear(add=False), "not added"),
        (Wrapped, "uses `nn.Linear`"),
        (Inherited, "uses `nn.Linear`"),
        (Unwritten, "Write your answer"),
    ],
    "03-training-step": [
        (train_step(zero=False), "Zero them"),
        (train_step(guard=False), "no_grad"),
        (train_step(sign=1), "uphill"),
        (train_step(rebind=True), "did not move"),
        (train_step(item=False), "loss.item()"),
        (train_step(before=False), "the loss before it"),
        (no_backward, "did you call `backward`"),
        (targets_first, "the outputs come first"),
        (with_optimizer, "the optimizer's update"),
        (other_loss(lambda o, y: F.cross_entropy(o.softmax(1), y)), "takes the softmax itself"),
        (other_loss(lambda o, y: F.mse_loss(o, F.one_hot(y, 3).float())), "squared error"),
        (other_loss(lambda o, y: F.cross_entropy(o, y, reduction="sum")), "sum over the rows"),
        (other_loss(lambda o, y: F.cross_entropy(o.relu(), y)), "through a ReLU"),
    ],
    "03-dead-units": [
        (lambda t: (t <= 0).all(0), "a number"),
        (lambda t: ..., "in place of `...`"),
    ],
    "03-curves": [
        (causes("AABCE"), "use each letter once"),
        (causes("ADEBC"), "hardly leaves 2.3"),
        (causes("BAEDC"), "swings up again"),
        (causes("DCEBA"), "stays at 2.3"),
        (causes("DABEC"), "learns for a while"),
        (causes("DACBE"), "never leaps"),
        (causes("EADBC"), "Look again at E"),
        (causes(["D", ..., "E", "B", "C"]), "1 of 5 is still to be answered"),
        (causes("DAEBF"), "from A to E"),
        ("D", "letter for each"),
    ],
    "03-bug": [
        (training(models=2), "has not moved"),
        (training(zero=False), "no longer zeroed"),
        (training(rows="last"), "Only the last batch"),
        (training(rows="first"), "Only the first batch"),
        (training(result=False), "Return the model"),
        (training(before=True), "only after `step`"),
        (training(uphill=True), "does not end where"),
    ],
    "03-one-epoch": [
        (entry(..., ...), "Write a learning rate"),
        (entry(0.1, ...), "Write a learning rate"),
        (entry("fast", 8), "should be numbers"),
        (entry(-0.1, 8), "larger than 0"),
        (entry(0.1, 2.5), "whole number"),
        (entry(0.1, 2), "at least 8"),
        (entry(1e-5, 500), "hardly moved"),
        (entry(0.1, 128), "only 40 updates"),
        (entry(0.2, 64), "has 79 updates"),
        (0.1, "is a pair"),
        (({"lr": 0.1, "bs": 8}, None), "is a pair"),
    ],
    "04-translate": [
        ((0.001, 3), "wrong way round"),
        ((0.001, 0.12), "divided: the damped move"),
        ((0.2, 0.12), "This recipe has 0.95"),
        ((0.021, 0.12), "divided by β"),
        ((0.019, 0.12), "multiplied by β"),
        ((0.02, 0.12), "not translated"),
        ((0.78, 0.12), "(1 + β) / (1 - β)"),
        ((5, 0.12), "1 / (1 - 0.95)"),
        ((0.4, 3), "second is divided"),
        ((0.4, 0.06), "This recipe has 0.8"),
        ((0.4, 0.48), "multiplied by β"),
        ((0.4, 0.75), "divided by β"),
        ((0.4, 0.6), "not translated"),
        ((0.4, 7), "5 times as long"),
        (0.4, "Two numbers"),
        ((0.4, ...), "1 of 2"),
    ],
    "04-first-step": [
        (0.01, "one learning rate"),
        (0.86 / 73.96, "Take its root"),
        (8.6, "still to be divided"),
        (0.86, "plain descent"),
        (0.01 / 0.99**0.5, "enters with 1 - β"),
        (0.01 / 0.1**0.5, "β = 0.9"),
        (1.0, "twice"),
        (0.001, "longer than one learning rate"),
        (10, "in learning rates"),
        (-0.1, "positive"),
        (3, "First the average"),
        ("long", "One number"),
    ],
    "04-which": [
        (rules("DABEC"), "Look at the second half"),
        (rules("DCAEB"), "corrects its average"),
        (rules("EBADC"), "how long is each move"),
        (rules("DBEAC"), "A and E are exchanged"),
        (rules("DBAAC"), "stands there twice"),
        (rules("DBAFC"), "from A to E"),
        (rules(["D", ..., "A", "E", "C"]), "1 of 5 is still to be answered"),
        ("D", "letter for each"),
    ],
    "04-bug": [(lambda gradients, lr=0.1, beta1=0.9, beta2=0.999, eps=1e-8: None, "None")],
    "04-own-rule": [
        (lambda gradient, state: 1e-4 * gradient, "hardly moved"),
        (lambda gradient, state: 1e-3 * gradient, "diverges"),
        (lambda gradient, state: -1e-5 * gradient, "uphill"),
        (lambda gradient, state: np.array([1.8e-4, 0.25]) * gradient, "alike"),
        (lambda gradient, state: 0.1, "two numbers"),
        (lambda gradient, state: "down", "two numbers"),
        (own_adam(0.5), "still high at the end"),
        (own_adam(2, 145), "You are near"),
        (lambda gradient: gradient, "should take 2"),
    ],
    "05-sign": [
        (sign_step(rule=lambda grad: grad), "plain descent"),
        (sign_step(rule=lambda grad: grad / (grad.norm() + 1e-8)), "sign of its own"),
        (sign_step(rule=lambda grad: torch.sign(grad) / 2), "Each number should move by lr"),
        (sign_step(guard=False), "no_grad"),
        (sign_step(sign=1), "uphill"),
        (sign_step(rebind=True), "have not moved"),
        (sign_step(first=True), "Only the first parameter"),
        (sign_step(clear=True), "Leave the gradients"),
        (long_sign_step, "Multiply them by the learning rate"),
        (careless_sign_step, "`.grad` is None"),
        (decaying_sign_step, "without a gradient has moved"),
        (lambda params, lr: params, "have not moved"),
        (lambda params, lr: None, "returned None"),
        (lambda params, lr: ..., "in place of `...`"),
    ],
    "05-memory": [
        (39760, "keeps two averages"),
        (3 * 39760, "parameters themselves"),
        (4 * 39760, "gradients are not"),
        (2 * 784 * 50, "first layer alone"),
        (2 * (784 * 50 + 50 * 10), "biases"),
        (2, "for each parameter of the net"),
        (8, "numbers are in the tensors"),
        (2 * 39760 + 1, "counters"),
        (1000, "Count the parameters"),
        ("two", "One number"),
    ],
    "05-suspects": [
        (adams("DBAC"), "Lesson 04 has the numbers"),
        (adams("BCAD"), "third trial"),
        (adams("ACDB"), "second trial only"),
        (adams("DCAA"), "once"),
        (adams(["D", ..., "A", "B"]), "1 of 4 is still to be answered"),
        ("C", "letter for each"),
    ],
    "05-bug": [(lambda gradients, beta=0.9: None, "None")],
    "05-own": [
        ((patterns, UnwrittenStep), "Write the method"),
        ((patterns, Unstepped), "needs a method"),
        ((patterns, 3), "without brackets"),
        (UnwrittenStep, "is a pair"),
        ((patterns, by_torch(torch.optim.SGD, lr=100.0)), "diverged"),
        ((patterns, by_torch(torch.optim.Adam, lr=0.01)), "About as good as Adam"),
        ((patterns, by_torch(torch.optim.SGD, lr=0.08)), "higher learning rate"),
    ],
    "06-stable": [
        (lambda done, peak: {"lr": right("06-stable")(done, peak)}, "not a dictionary"),
        (lambda done, peak: peak / 10, "it should be 0"),
    ],
    "06-mean-rate": [
        (505.0, "sum of all"),
        (0.75, "in the middle"),
        (0.00505, "peak 1.0"),
        (0.9, "mean momentum"),
        (-3, "n / 1000"),
        (0.25, "divided by 1,000"),
        ("half", "One number"),
    ],
    "06-bug": [(lambda peak, epochs, batches: None, "None")],
    "06-own": [
        ((patterns, unwritten_epoch), "Write `my_epoch`"),
        (unwritten_epoch, "is a pair"),
        ((patterns, 3), "without brackets"),
        ((patterns, epoch_of(times=2)), "One epoch"),
        ((patterns, epoch_of(lr=1e-6)), "hardly moved"),
        ((patterns, epoch_of(lr=0.0003)), "more updates"),
    ],
    "06-read-finder": [
        (0.05, "near the minimum"),
        (0.9, "diverge"),
        (1e-5, "hardly falls"),
        (-1, "larger than zero"),
        ("left", "One number"),
    ],
    "07-gradient": [
        (lambda logits, targets: logits.softmax(-1) ** 2, "it should be"),
        (lambda logits, targets: None, "None"),
        (lambda logits, targets: (logits.softmax(-1) - 1) / len(logits), "it should be"),
    ],
    "07-log-softmax": [
        (lambda logits, allowed: logits.log_softmax(-1)[allowed], "a tensor of the shape"),
        (lambda logits, allowed: logits.log_softmax(-1) - 1, "it should be"),
    ],
    "07-smoothing": [
        (0, "0.01 nine times"),
        (0.0943, "without its factor"),
        (0.0858, "nine other targets"),
        (0.1319, "not one"),
        (0.5448, "nine other classes"),
        (0.3251, "two classes"),
        (2.3026, "equal probabilities"),
        (0.2173, "base 10"),
        (0.7218, "base 2"),
        (-0.5003, "sign is turned"),
        (0.7, "entropy of the ten targets"),
        ("half", "One number"),
    ],
    "07-floor": [
        (floors("A"), "too low"),
        (floors("B"), "wrong labels"),
        (floors("C"), "jump up and down"),
        (floors("E"), "one letter"),
        (floors("D", 0), "infinitely large"),
        (floors("D", 2.3026), "equal probabilities"),
        (floors("D", 2.4612), "logarithm of the sum"),
        (floors("D", 1.5429), "have the logit 0"),
        (floors("D", 0.232), "the probability"),
        (floors("D", 0.6346), "base 10"),
        (floors("D", -1.4612), "sign is turned"),
        (floors("D", 1.2), "What is softmax of them"),
        (floors("D", "low"), "one number"),
        (floors("D", 1.4612, 1.4612), "`lowest, 2 classes`: the best outputs"),
        (floors("D", 1.4612, ...), "1 of 3 is still to be answered"),
        ("D", "an answer for each"),
    ],
    "07-calibrate": [
        ((stand_in_digits, 3), "without brackets"),
        (at_temperature(2), "is a pair"),
        ((stand_in_digits, lambda logits, targets, new_logits: ...), "Write your lines"),
        ((stand_in_digits, lambda logits, targets, new_logits: new_logits), "no probabilities"),
        ((stand_in_digits, lambda logits, targets, new_logits: targets), "a row for each picture"),
        ((stand_in_digits, all_or_nothing), "Leave each class a little"),
        ((stand_in_digits, at_temperature(1)), "as they come"),
        ((stand_in_digits, at_temperature(1.2)), "Try many temperatures"),
        ((stand_in_digits, at_temperature(20)), "worse than the net's own"),
    ],
    "08-decay": [
        (lambda w, g, lr, wd: (w - lr * g).sum(), "shape of `weight`"),
        (lambda w, g, lr, wd: w - lr * (g + 4 * wd * w), "it should be"),
        (lambda w, g, lr, wd: ..., "in place of `...`"),
    ],
    "08-curves": [
        (curves("BADC"), "still falls"),
        (curves("ADBC"), "high and close together"),
        (curves("CABD"), "lower one"),
        (curves("DACB"), "*above*"),
        (curves("DBAC"), "not allowed to fit"),
        (curves("DAAC"), "one of them"),
        (curves(["D", ..., "B", "C"]), "1 of 4 is still to be answered"),
        ("D", "letter for each"),
        (curves(["panel D", "A", "B", "C"]), "one letter from A to D"),
    ],
    "08-carry": [
        (lambda wd, lr, steps, new_lr, new_steps: (1 - lr * wd) ** steps, "it should be"),
        (lambda wd, lr, steps, new_lr, new_steps: None, "None"),
    ],
    "08-next": [
        (decay_of(0.03, 0.01, 0.3), "beyond this edge"),
        (decay_of(0.11, 0.01, 0.3), "nearly 0.1 again"),
        (decay_of(50, 0.01, 0.3), "long way"),
        (decay_of(1, 3, 0.3), "held back"),
        (decay_of(1, 0.09, 0.3), "nearly 0.1 again"),
        (decay_of(1, 0.01, 3), "inside"),
        (decay_of(1, 0.01, 0.12), "half way"),
        (decay_of(0.1, 0.01, 0.3), "has been tried in task A"),
        (decay_of(1, -1, 0.3), "would grow"),
        (decay_of("more", 0.01, 0.3), "one number"),
        (decay_of(1, ..., 0.3), "1 of 3 is still to be answered"),
        (0.3, "number for each"),
    ],
    "08-dropout": [
        (lambda w, b, p: w * (1 - p), "two tensors"),
        (lambda w, b, p: (..., ...), "..."),
    ],
    "08-batchnorm": [
        (lambda w, b, m, v, c, s, eps: w, "two tensors"),
        (lambda w, b, m, v, c, s, eps: (w * 2, b), "should be"),
    ],
    "08-bug": [(lambda gradients, lr=0.1, wd=0.1, beta=0.9: None, "None")],
    "08-own": [
        ((patterns, unwritten_training), "Write the function"),
        ((patterns, 3), "without brackets"),
        (unwritten_training, "is a pair"),
        ((patterns, lambda x, y: 0.5), "returned float"),
        ((patterns, untrained), "hardly trained"),
        ((patterns, short_training), "plain training"),
    ],
    "09-gradient": [
        (lambda i, g, rows: 2 * right("09-gradient")(i, g, rows), "should be"),
        (lambda i, g, rows: g.shape, "a tensor of the shape of the table"),
    ],
    "09-dot-product": [
        (ratings(no_super=True), "super().__init__()"),
        (ratings(table=torch.randn), "plain tensor"),
        (ratings(no_bias=True), "no biases"),
        (ratings(turned=True), "row for each name"),
        (ratings(table=constant(torch.zeros)), "start at zero"),
        (ratings(table=constant(torch.ones)), "start equal"),
        (ratings(lambda u, f: u @ f.T), "every user with every film"),
        (ratings(add=whole_biases), "broadcast"),
        (ratings(lambda u, f: (u * f).sum(1, keepdim=True), whole_biases), "without keepdim"),
        (ratings(lambda u, f: (u * f).sum(1, keepdim=True)), "without keepdim"),
        (ratings(lambda u, f: u * f, whole_biases), "not been summed"),
        (ratings(lambda u, f: u * f), "not been summed"),
        (ratings(lambda u, f: (u * f).sum()), "whole batch"),
        (ratings(lambda u, f: (u * f).sum(0)), "dim 1"),
        (ratings(lambda u, f: (u * f).mean(1)), "mean"),
        (ratings(lambda u, f: (u + f).sum(1)), "are added"),
        (ratings(add=lambda dot, u, f: dot), "not added"),
        (ratings(add=lambda dot, u, f: dot + u[:, 0]), "film's bias"),
        (ratings(add=lambda dot, u, f: dot + f[:, 0]), "user's bias"),
        (ratings(add=squeezed), "single pair"),
        (ratings(finish=torch.sigmoid), "lesson 10"),
        (ratings(finish=torch.Tensor.detach), "no gradient"),
        (lambda users, films, factors: None, "class itself"),
    ],
    "11-ndcg": [
        (lambda stars: stars.tolist(), "one number"),
        (lambda stars: right("11-ndcg")(stars) + 0.5, "should be"),
    ],
    "11-recommend": [(lambda stars, rated: right("11-recommend")(stars, rated)[:4], "list of 4")],
    "11-bug": [(lambda scores, rated: scores.topk(5).indices, "[members, 10]")],
    "11-fold": [(lambda factors, residuals, penalty: 1.0, "row of k numbers")],
    "11-choose": [
        (clubs("popularity", "factors", "popularity", "stars"), "60 liked films"),
        (clubs("factors", "factors", "popularity", "stars"), "random start"),
        (clubs("stars", "factors", "popularity", "stars"), "A: they want a list"),
        (clubs("linear", "popularity", "popularity", "stars"), "one list for all"),
        (clubs("linear", "stars", "popularity", "stars"), "list of songs"),
        (clubs("linear", "linear", "popularity", "stars"), "how many bytes"),
        (clubs("linear", "factors", "linear", "stars"), "nothing is known"),
        (clubs("linear", "factors", "factors", "stars"), "nothing is known"),
        (clubs("linear", "factors", "stars", "stars"), "nothing is known"),
        (clubs("linear", "factors", "popularity", "popularity"), "how many stars"),
        (clubs("linear", "factors", "popularity", "factors"), "no stars"),
        (clubs("linear", "factors", "popularity", "linear"), "not how many stars"),
        (clubs("als", "factors", "popularity", "stars"), "one of popularity"),
        (clubs("linear", ..., "popularity", "stars"), "1 of 4 is still to be answered"),
        ("linear", "word for each"),
    ],
    "11-own": [
        ((stand_in_ratings, unwritten_scores), "Write the function"),
        ((stand_in_ratings, 3), "without brackets"),
        (unwritten_scores, "is a pair: (movielens, my_scores)"),
        ((stand_in_ratings, lambda pairs, stars, users, items: [1]), "returned list"),
        ((stand_in_ratings, lambda pairs, stars, users, items: torch.ones(items)), "row for each"),
        (
            (stand_in_ratings, lambda pairs, stars, users, items: torch.ones(users, items) / 0 * 0),
            "nan",
        ),
        ((stand_in_ratings, random_scores), "Is a large score a good film"),
        ((stand_in_ratings, counted), "about popularity"),
        ((stand_in_ratings, timid), "1.15 times is asked for"),
    ],
    "12-leak": [
        (lambda shop, sales, is_past: sales, "should be"),
        (lambda shop, sales, is_past: None, "None"),
    ],
    "12-weeks": [(lambda sales, week, promoted, orders: 0.0, "should be")],
    "12-deploy": [
        (to_work("net"), "0.0004"),
        (to_work("usual"), "far better"),
        (to_work(b="net"), "every third case"),
        (to_work(b="trees"), "larger error"),
        (to_work(c="trees"), "a fifth smaller"),
        (to_work(c="usual"), "a quarter smaller"),
        (to_work(c="forest"), 'write "usual", "trees" or "net"'),
        (to_work(c=3), 'write "usual", "trees" or "net"'),
        (to_work(b=...), "1 of 3 is still"),
        ("trees", "A dictionary"),
        ({"A": "trees"}, "A dictionary"),
    ],
    "12-own": [
        ((stand_in_stores, unwritten_forecast), "Write the function"),
        ((stand_in_stores, 3), "without brackets"),
        (unwritten_forecast, "is a pair: (rossmann, my_forecast)"),
        ((stand_in_stores, lambda past, future: None), "One number for each"),
        ((stand_in_stores, lambda past, future: "many"), "array of numbers"),
        ((stand_in_stores, lambda past, future: future.store * np.nan), "nan or infinite"),
        (
            (stand_in_stores, lambda past, future: np.log(mean_forecast(past, future))),
            "look like logarithms",
        ),
        ((stand_in_stores, lambda past, future: 9 * mean_forecast(past, future)), "Something"),
        ((stand_in_stores, shop_forecast), "The look-up is better"),
        ((stand_in_stores, half_forecast), "is asked for"),
    ],
    "13-frozen": [(lambda shapes, frozen: 120, "Right for one example")],
    "13-rates": [
        (
            lambda first, last, n: [first * 300 ** (k / 3) for k in range(n)],
            "Right for one example",
        ),
    ],
    "14-loop": [(lambda weights, batches, loss, lr, rows: None, "returned None")],
    "14-fits": [
        (lambda *arguments: 12.3, "Return True or False"),
        (lambda *arguments: True, "it should be False"),
    ],
    "16-submission": [
        (lambda sample, answers: list(answers.values()), "order of the dictionary"),
        (labels, "KeyError"),
        (refusing(missing, missing), "belongs to no name"),
        (lambda sample, answers: [answers.get(name) for name in sample], "no answer"),
        (with_default, "no answer"),
        (refusing(difference, unequal_number, with_default), "the wrong ones"),
        (refusing(lambda sample, answers: "something is wrong"), "name it"),
        (
            refusing(difference, lambda sample, answers: sample != list(answers)),
            "should not matter",
        ),
        (refusing(difference, then=alphabetical), "alphabetical order"),
        (refusing(lambda sample, answers: f"{sample}, {list(answers)}"), "every name"),
        (lambda sample, answers: [answers.pop(name) for name in sample], "changed what"),
        (lambda sample, answers: {name: answers[name] for name in sample}, "a dictionary"),
        (lambda sample, answers: sorted(answers.values()), "sorted"),
        (lambda sample, answers: list(sample), "the names"),
    ],
    "17-slice": [
        (lambda *arguments: two_losses(*arguments).item(), "no gradient can flow"),
        (detached(False, True), "columns of the varieties"),
        (detached(True, False), "columns of the diseases"),
        (half_detached, "not that of the two losses"),
        (three_columns, "Right for one example"),
    ],
    "17-age": [(lambda *arguments: right("17-age")(*arguments).item(), "no gradient can flow")],
    "17-columns": [
        (trained(ask=False), "requires_grad"),
        (trained(backward=False), "backward"),
        (lambda loss, width: list(range(width)), "never calls the loss"),
        (trained(rows=1), "shape [8, width]"),
        (trained(lambda g: g.abs().sum(0) > 0), "yes or no"),
        (trained(lambda g: g.abs().sum(0).nonzero().tolist()), "list in a list"),
        (trained(lambda g: g.nonzero()[:, 1].tolist()), "several times"),
        (trained(lambda g: positions(g.abs().sum(0) == 0)), "without a gradient"),
        (trained(lambda g: list(range(g.shape[1]))), "all columns"),
        (trained(lambda g: positions(g.abs().sum(1))), "Sum over the rows"),
        (trained(lambda g: [0, 1]), "it should be"),
        (trained(lambda g: positions(g.sum(0))), "Absolute values first"),
        (trained(lambda g: positions(g[0])), "Look at all rows"),
        (trained(lambda g: positions(g.amax(0) > 0)), "Look at all rows"),
        (trained(start=torch.zeros), "random outputs"),
        (trained(start=torch.ones), "Start from random outputs"),
    ],
}
