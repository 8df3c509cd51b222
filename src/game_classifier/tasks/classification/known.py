"""Fitting the `known` score of a trained network; models/known.py computes it.

The network itself does not change. Its last features are turned by a linear discriminant analysis, some small networks
learn to tell known frames from outliers, and their odds become a probability by Platt scaling on held-out frames
(Platt, "Probabilistic Outputs for Support Vector Machines", 1999).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from game_classifier.console import percent, table
from game_classifier.device import choose_precision
from game_classifier.frames.loader import FrameReader
from game_classifier.lists.dataset import Dataset
from game_classifier.models.fold import InBFloat16
from game_classifier.models.frame_network import FrameNetwork
from game_classifier.models.known import Known, KnownHead, relative_distance
from game_classifier.models.refusals import Refusals, fit_refusals, frames_needed
from game_classifier.tasks.classification.known_frames import Evidence, Reading, gather, last_features

LEAST_FRAMES = 100  # of validation, as for the temperature
RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
RATES_SHOWN = 0.1
MEMBERS = 3  # networks of each of two kinds
HIDDEN = 64  # units of each network
SCATTER = 1.0  # noise on the places, in deviations of a class: new frames scatter more than those of the training
EPOCHS, BATCH = 20, 256
PEAK_LR, WEIGHT_DECAY = 3e-3, 1e-3


@dataclass(frozen=True)
class Fitted:
    """The score, if there is one, and what was measured, for the terminal."""

    known: Known | None
    sentence: str


def known_score(
    network: FrameNetwork,
    dataset: Dataset,
    reading: Reading,
    caches: tuple[FrameReader | None, FrameReader | None],
    refuse: float,
    seed: int,
) -> Fitted:
    """Fit the score of a network that gives logits, on the frames of a data set and on made-up ones."""
    exact = last_features(network)
    if exact is None:
        return _none("the network has no single classifier of whole frames")
    if len(dataset.val) < LEAST_FRAMES:
        return _none(f"{len(dataset.val)} validation frames, {LEAST_FRAMES} needed")
    quick = exact
    if choose_precision("auto", network.mean.device) == "bf16":  # three times as fast, and near enough to learn from
        rounded = FrameNetwork(InBFloat16(network.network), reading.preprocessing)
        quick = last_features(rounded.to(network.mean.device).eval())
    training, validation = zip((dataset.train, dataset.val), caches, strict=True)
    return fit_known(gather(quick, exact, training, validation, dataset.background, reading, seed), refuse, seed)


def fit_known(evidence: Evidence, refuse: float, seed: int) -> Fitted:
    """Fit the score and its thresholds; `refuse` is the default rate of refused known frames, 0..0.5."""
    count = len(evidence.held_out_known)
    if count < LEAST_FRAMES:
        return _none(f"{count} validation frames could be read, {LEAST_FRAMES} needed")
    state = _head(discriminants(evidence.known, evidence.labels), evidence, seed)
    held_out = [torch.from_numpy(each) for each in (evidence.held_out_known, evidence.held_out_outliers)]
    slope, offset = _platt(*(KnownHead(state).logit(each)[:, 0].numpy() for each in held_out))
    if slope <= 0:
        return _none("its features do not tell validation frames from outliers")
    state["output.weight"] = state["output.weight"] * slope
    state["output.bias"] = state["output.bias"] * slope + offset
    scores = [KnownHead(state)(each)[:, 0].numpy() for each in held_out]
    refusals = fit_refusals(*scores, RATES, refuse)
    return Fitted(Known(state, refusals), describe(refusals, *scores, refuse))


def _none(reason: str) -> Fitted:
    return Fitted(None, f"frames of no known game will not be refused: {reason}")


@dataclass(frozen=True)
class Discriminants:
    """Directions of the features, those first that tell classes apart."""

    center: Tensor  # float32 [D]
    projection: Tensor  # float32 [D, D]: features less the centre become places, which scatter by 1 inside a class
    means: Tensor  # float32 [C, M]: the places of the classes in the M directions that tell them apart
    precisions: Tensor  # float32 [M]: 1 / the variance of all places in these directions


def discriminants(features: np.ndarray, labels: np.ndarray) -> Discriminants:
    """The linear discriminant analysis of features [N, D] of classes int [N].

    The scatter inside the classes is shrunk towards a sphere by Ledoit and Wolf's share, since there may be fewer
    frames than directions.
    """
    from sklearn.covariance import ledoit_wolf_shrinkage  # takes a second to import

    features = features.astype(np.float64)
    center = features.mean(axis=0)
    classes, place = np.unique(labels, return_inverse=True)
    means = np.stack([features[place == number].mean(axis=0) for number in range(len(classes))])
    inside = features - means[place]
    scatter = inside.T @ inside / len(inside)
    shrinkage = ledoit_wolf_shrinkage(inside, assume_centered=True)
    sphere = max(np.trace(scatter) / len(scatter), 1e-12)
    scatter = (1 - shrinkage) * scatter + max(shrinkage, 1e-6) * sphere * np.eye(len(scatter))
    variances, axes = np.linalg.eigh(scatter)
    whitening = axes / np.sqrt(variances)
    spread = (features - center) @ whitening
    variances, axes = np.linalg.eigh(spread.T @ spread / len(spread))
    projection = whitening @ axes[:, ::-1]  # the largest spread first
    telling = min(len(classes) - 1, len(scatter))
    values = (
        center,
        projection,
        (means - center) @ projection[:, :telling],
        1 / np.maximum(variances[::-1][:telling], 1),  # no direction may count against the distance
    )
    return Discriminants(*(torch.from_numpy(value.copy()).float() for value in values))


def _head(found: Discriminants, evidence: Evidence, seed: int) -> dict[str, Tensor]:
    """The state of KnownHead: small networks whose logits are added, side by side in its layers.

    Some see the directions that tell classes apart, the others all. The first err less on games that look like known
    ones, the others less on pictures that look like no game; several of each err less than one.
    """
    features = torch.from_numpy(np.concatenate([evidence.known, evidence.outliers]))
    is_known = torch.arange(len(features)) < len(evidence.known)
    places = (features - found.center) @ found.projection
    telling = found.means.shape[1]
    widths = [telling, places.shape[1]] * MEMBERS
    members = [_trained(places[:, :width], is_known, found, seed + number) for number, width in enumerate(widths)]
    weights = [each[0].weight for each in members]  # of places, and of the relative distance
    of_features = [weight[:, :-1] @ found.projection[:, : weight.shape[1] - 1].T for weight in weights]
    return {
        "center": found.center,
        "projection": found.projection[:, :telling].contiguous(),
        "means": found.means,
        "precisions": found.precisions,
        "relative": torch.cat([weight[:, -1] for weight in weights]),
        "hidden.weight": torch.cat(of_features),
        "hidden.bias": torch.cat([each[0].bias for each in members]),
        "output.weight": torch.cat([each[2].weight for each in members], dim=1),
        "output.bias": sum(each[2].bias for each in members),
    }


def _trained(places: Tensor, is_known: Tensor, found: Discriminants, seed: int) -> nn.Sequential:
    """A layer on places [N, K] and their relative distance, a ReLU and the logit: trained to tell the known ones.

    Known frames and outliers count alike together.
    """

    def inputs(places: Tensor) -> Tensor:
        distance = relative_distance(places[:, : found.means.shape[1]], found.means, found.precisions)
        return torch.cat([places, distance], dim=1)

    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = nn.Sequential(nn.Linear(places.shape[1] + 1, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
    mean, deviation = inputs(places).mean(dim=0), inputs(places).std(dim=0).clamp(min=1e-6)
    weights = torch.where(is_known, 0.5 / is_known.float().mean(), 0.5 / (~is_known).float().mean())
    optimizer = torch.optim.AdamW(layers.parameters(), lr=PEAK_LR, weight_decay=WEIGHT_DECAY)
    steps = EPOCHS * -(-len(places) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LR, total_steps=steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(places), generator=generator).split(BATCH):
            scattered = places[rows] + SCATTER * torch.randn(len(rows), places.shape[1], generator=generator)
            logits = layers((inputs(scattered) - mean) / deviation)[:, 0]
            loss = F.binary_cross_entropy_with_logits(logits, is_known[rows].float(), weights[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    layers.requires_grad_(False)
    layers[0].weight /= deviation  # from now on it takes its inputs as they are
    layers[0].bias -= layers[0].weight @ mean
    return layers


def _platt(known: np.ndarray, outliers: np.ndarray) -> tuple[float, float]:
    """(slope, offset) that make logits of both sorts those of probabilities, as if both were equally frequent."""
    from sklearn.linear_model import LogisticRegression

    logits = np.concatenate([known, outliers])[:, None]
    is_known = np.arange(len(logits)) < len(known)
    fitted = LogisticRegression(class_weight="balanced").fit(logits, is_known)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def describe(refusals: Refusals, known: np.ndarray, outliers: np.ndarray, wanted: float) -> str:
    """The table of refusal rates for the terminal, and a line on what could not be fitted."""
    from sklearn.metrics import roc_auc_score

    is_known = np.arange(len(known) + len(outliers)) < len(known)
    area = roc_auc_score(is_known, np.concatenate([known, outliers]))
    rows = [
        [percent(rate), f"{threshold:.4f}", percent(caught)]
        for rate, threshold, caught in zip(refusals.rates, refusals.thresholds, refusals.caught, strict=True)
        if rate <= max(RATES_SHOWN, wanted)
    ]
    lines = [
        table(
            "Frames of no known game", ["Known Frames Refused", "Threshold", "Outliers Caught"], rows, first_number=0
        ),
        f"AUROC {percent(area)} on {len(known)} validation frames and {len(outliers)} held-out outliers, half of each"
        " in stream layouts",
        f"{percent(refusals.default)}% of the known frames may be refused, unless another rate is given",
    ]
    if refusals.default != wanted or refusals.rates[0] > RATES[0]:
        least = wanted if refusals.default != wanted else RATES[0]
        lines.append(
            f"note: {len(known)} validation frames fit no rate below {refusals.rates[0]:g}; {least:g} takes"
            f" {frames_needed(least)}"
        )
    return "\n".join(lines)
