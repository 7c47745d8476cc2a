"""Memory: counted by hand, predicted and compared with what is counted; the rescue.

Predictions are compared with PyTorch's own allocator, too."""

import gc
import sys
import weakref

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn
from torch.profiler import ProfilerActivity, profile

from helpers import optim
from helpers.gpu.memory import (
    OutOfMemory,
    Peak,
    Plan,
    Saved,
    clean_up,
    count_bytes,
    fewest_parts,
    is_out_of_memory,
    plan,
    rescue,
)

# Convolutions, windows, tokens. (More bodies: whole/test_memory.py.)
BODIES = {"mobilenetv2_100": 64, "swin_tiny_patch4_window7_224": 112, "vit_tiny_patch16_224": 64}
BATCH = 4


def body(name, size):
    torch.manual_seed(0)
    return timm.create_model(
        name,
        num_classes=10,
        **(dict(img_size=size) if timm.get_pretrained_cfg(name).fixed_input_size else {}),
    ).train()


def batch(size, n=BATCH):
    return torch.randn(n, 3, size, size), torch.randint(10, (n,))


def test_saved_by_hand():
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 5))
    x, y = torch.randn(4, 12), torch.randint(5, (4,))
    with Saved(model) as saved:
        F.cross_entropy(model(x), y)
    # the input, ReLU's output (once, although two layers keep it), log-probabilities,
    # targets, and the sum of the weights
    assert sum(saved.storages.values()) == 4 * (4 * 12 + 4 * 8 + 4 * 5 + 1) + 8 * 4


@pytest.mark.parametrize(
    ("make", "copies"),
    [
        (lambda p: torch.optim.AdamW(p), 2),
        (lambda p: optim.AdamW(p), 2),
        (lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), 1),
        (lambda p: optim.SGD(p, 0.1, momentum=0.9), 1),
        (lambda p: torch.optim.SGD(p, 0.1), 0),
        (lambda p: optim.SGD(p, 0.1), 0),
    ],
)
def test_state_of_the_optimizers(make, copies):
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 100), nn.Linear(100, 10))
    found = count_bytes(model, *batch(8), make(list(model.parameters())))
    weights = 4 * (192 * 100 + 100 + 1000 + 10)
    assert found["parameters"] == found["gradients"] == weights
    # torch keeps a step for each parameter
    assert found["optimizer state"] == pytest.approx(copies * weights, abs=100)
    assert all(p.grad is None for p in model.parameters())


def check_parts(name, size):
    "By category, within a tenth: it comes out much nearer."
    predicted = plan(name, size, BATCH, precision="fp32", device="cpu").parts
    model = body(name, size)
    counted = count_bytes(model, *batch(size), torch.optim.AdamW(model.parameters()))
    for kind, nbytes in counted.items():
        assert predicted[kind] == pytest.approx(nbytes, rel=0.02), kind


@pytest.mark.parametrize(("name", "size"), BODIES.items(), ids=BODIES)
def test_predicted_as_counted(name, size):
    check_parts(name, size)


def allocated(step):
    "The most bytes that PyTorch's CPU allocator gave out within a step, and had not got back."
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        step()
    now = peak = 0
    events = recorded.profiler.kineto_results.events()
    events = [event for event in events if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


def check_peak(name, size, n):
    """The peak of a step without the update, as the CPU's allocator has it: within a tenth.

    Convolutions on the CPU take scratch memory that depends on the weights alone: enough
    pictures, and it is small.
    """
    model, (x, y) = body(name, size), batch(size, n)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    measured = x.nbytes + allocated(lambda: F.cross_entropy(model(x), y).backward())
    parts = plan(name, size, n, precision="fp32", optimizer="sgd", device="cpu").parts
    assert parts["activations"] + parts["working space"] == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize(
    ("name", "size", "n"),
    [
        ("swin_tiny_patch4_window7_224", 112, 6),
        ("vit_tiny_patch16_224", 64, 8),
        ("mobilenetv2_100", 64, 8),
    ],
    ids=lambda value: str(value),
)
def test_predicted_peak_as_allocated(name, size, n):
    check_peak(name, size, n)


def test_a_module_of_ones_own():
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(6 * 14 * 14, 10),
    )
    model[0].requires_grad_(False)
    predicted = plan(model, 16, BATCH, precision="fp32", device="cpu").parts
    counted = count_bytes(
        model, *batch(16), torch.optim.AdamW(p for p in model.parameters() if p.requires_grad)
    )
    for kind, nbytes in counted.items():
        assert predicted[kind] == pytest.approx(nbytes, rel=0.01, abs=100), kind
    assert model[0].weight.device.type == "cpu"
    assert predicted["gradients"] < predicted["parameters"]


def test_a_module_is_looked_at_anew_and_not_kept():
    net = body("test_resnet", 64)
    before = plan(net, 64).parts
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    net.fc.weight.requires_grad_(True)
    after = plan(net, 64).parts
    assert after["gradients"] == 4 * net.fc.weight.numel() < before["gradients"]
    assert after["activations"] < before["activations"]
    alive = weakref.ref(net)
    del net, parameter
    gc.collect()
    assert alive() is None


def test_what_moves_the_prediction():
    name = "vit_tiny_patch16_224"

    def memory(**options):
        return plan(name, 64, 64, **options).parts

    def activations(parts):
        return memory(parts=parts, precision="fp32")["activations"]

    assert activations(1) == pytest.approx(2 * activations(2), rel=0.01)
    assert activations(1) == pytest.approx(4 * activations(4), rel=0.01)

    whole, half = memory(precision="fp32"), memory(precision="fp16")
    assert 0.5 < half["activations"] / whole["activations"] < 0.8
    assert half["parameters"] == whole["parameters"]
    assert memory(precision="bf16") == half

    for copies, kind in ((2, "adamw"), (1, "sgd"), (0, "sgd without momentum")):
        state = memory(optimizer=kind)["optimizer state"]
        assert state == copies * whole["gradients"]

    assert plan(name, 64, 64, 3).parts == plan(name, 64, 22).parts, "the largest part counts"


def test_on_a_gpu_the_update_of_adamw_needs_room():
    "It makes the roots of all averages at once."

    def working_space(device):
        predicted = plan("convnext_tiny", 32, 1, precision="fp32", device=device)
        return predicted.parts["working space"]

    assert working_space("cuda") >= working_space("cpu")


def test_half_precision_as_the_cpu_has_it():
    """The CPU's own autocast halves matrix products too.

    Where nothing else differs between CPU and GPU, both save the same.
    """
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 12 * 12, 10),
    )
    x, y = batch(16)
    with Saved(model) as saved, torch.autocast("cpu", torch.bfloat16):
        F.cross_entropy(model(x), y)
    assert plan(model, 16, BATCH, precision="bf16").parts["activations"] == pytest.approx(
        sum(saved.storages.values()), rel=0.01
    )


def test_the_notes_large_models():
    "What the notes saw on Kaggle's 16 GB: out of memory in one part, and all of them fit in two."
    for name, size in (("convnext_large.fb_in22k", (320, 224)), ("vit_large_patch16_224", 224)):
        assert fewest_parts(name, size) == 2
    assert fewest_parts("vit_tiny_patch16_224", 64) == 1
    assert fewest_parts("vit_tiny_patch16_224", 64, room=5e8) is None


def test_fits_leaves_a_tenth():
    assert Plan({"parameters": 14e9}, 16e9).fits
    assert not Plan({"parameters": 14.2e9}, 16e9).fits
    assert "does not fit in 16 GB" in repr(Plan({"parameters": 14.2e9}, 16e9))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(precision="fp8"), "fp8.*Choose one of: fp32"),
        (dict(optimizer="lion"), "lion"),
        (dict(parts=0), "parts = 0"),
        (dict(parts=65), "from 1 to 64"),
    ],
)
def test_bad_plans(options, words):
    with pytest.raises(ValueError, match=words):
        plan("vit_tiny_patch16_224", 64, 64, **options)


def test_unknown_model():
    with pytest.raises(ValueError, match="no model .convnext_in22."):
        plan("convnext_in22")


def test_peak_is_none_without_cuda():
    with Peak() as peak:
        torch.ones(10)
    if not torch.cuda.is_available():
        assert peak.allocated is None
        assert peak.reserved is None


# --- out of memory


def run_out(
    kept,
    error=torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore words."),
):
    "Training that fails deep inside, while its frames hold tensors."
    activations = torch.ones(1000)
    kept.append(weakref.ref(activations))

    def deeper():
        gradient = torch.ones(1000)
        kept.append(weakref.ref(gradient))
        raise error

    try:
        deeper()
    except RuntimeError as first:
        if "cuBLAS" in str(first) or "CUBLAS" in str(first):
            raise
        raise type(first)(str(first)) from first


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
    ids=["class", "words", "cuBLAS"],
)
def test_rescue_frees_and_advises(error):
    kept = []
    with pytest.raises(OutOfMemory, match="Try accum=2") as caught:
        rescue(run_out, kept, error, advice=lambda: "Try accum=2.")
    assert len(kept) == 2 and all(reference() is None for reference in kept), (
        "nothing of the failed run is left"
    )
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert rescue(lambda: 7) == 7


def test_without_rescue_the_error_holds_everything():
    kept = []
    try:
        run_out(kept)
    except RuntimeError as error:
        gc.collect()
        assert all(reference() is not None for reference in kept)
        sys.last_value = error
    clean_up()
    assert all(reference() is None for reference in kept), (
        "clean_up lets go of what the notebook keeps of its last error"
    )
    del sys.last_value


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes") as caught:
        rescue(run_out, [], RuntimeError("shapes do not match"))
    assert not isinstance(caught.value, OutOfMemory)
    assert not is_out_of_memory(caught.value)
    with pytest.raises(KeyError):
        rescue({}.__getitem__, "x")


def test_counting_takes_a_step_without_the_gradients_of_before():
    torch.manual_seed(0)
    model, (x, y) = nn.Linear(12, 5), (torch.randn(4, 12), torch.randint(5, (4,)))
    F.cross_entropy(model(x), y).backward()
    right = model.weight.detach() - 0.1 * model.weight.grad
    count_bytes(model, x, y, optim.SGD(model.parameters(), 0.1))
    torch.testing.assert_close(model.weight.detach(), right)
