"""Policies that Stable-Baselines3 trained (Raffin et al. 2021), as one more player.

What is kept is a JSON card (algorithm, spaces, architecture) beside the weights as safetensors, and the policy is built
anew from both. Stable-Baselines3's own archives hold pickled code and are never opened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import safetensors.torch
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from pydantic import JsonValue
from safetensors import SafetensorError

from gridmarl.agents.agent import Information, Sees
from gridmarl.agents.policies import digest_of
from gridmarl.agents.seats import Seats
from gridmarl.environment.compiled import fields
from gridmarl.environment.compiled.codecs import CODECS, DEFAULTS
from gridmarl.errors import PolicyError
from gridmarl.files import write_atomically
from gridmarl.learning.sb3_card import CARD, WEIGHTS, SB3Card, SB3Stored, check_codec, read_sb3
from gridmarl.units import Float, Float32

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.policies import BasePolicy

POLICIES: Final[Mapping[str, str]] = {
    "DQN": "stable_baselines3.dqn.policies:DQNPolicy",
    "PPO": "stable_baselines3.common.policies:ActorCriticPolicy",
    "A2C": "stable_baselines3.common.policies:ActorCriticPolicy",
    "TD3": "stable_baselines3.td3.policies:TD3Policy",
    "SAC": "stable_baselines3.sac.policies:SACPolicy",
}
"""Algorithm -> "module:class" of the policy it makes of "MlpPolicy"."""
ACTIVATIONS: Final = ("ELU", "GELU", "LeakyReLU", "ReLU", "SiLU", "Softplus", "Tanh")
"""Classes of torch.nn that a card may name."""
UNUSED: Final = ("optimizer_class", "optimizer_kwargs")
"""Settings of a policy that matter in training alone."""
MEAN, VARIANCE, POLICY = "observations.mean", "observations.variance", "policy."


class SB3Agent:
    """Plays greedily what a model of Stable-Baselines3 has learned, on the CPU.

    Parameters
    ----------
    policy : str, Path or SB3Stored
        The folder that :meth:`save` wrote, or what :func:`read_sb3` returned. For a model in memory: :meth:`of`.

    Raises
    ------
    PolicyError
        See :func:`read_sb3`; also where Stable-Baselines3 is not installed, or weights do not fit the card.

    Examples
    --------
    >>> import gymnasium, gridmarl
    >>> from stable_baselines3 import DQN
    >>> env = gymnasium.make("gridmarl/Seat-v0", scenario="auction", seat="gas_1")
    >>> model = DQN("MlpPolicy", env, learning_starts=10).learn(50)
    >>> SB3Agent.of(model).codecs
    {'generator': 'price-grid'}
    """

    information: Information = "forecast"
    sees: Sees = "own"

    def __init__(self, policy: str | Path | SB3Stored) -> None:
        self.stored = policy if isinstance(policy, SB3Stored) else read_sb3(policy)
        self.card = card = self.stored.card
        self.codecs: Mapping[str, str] = {card.role: card.codec}
        tensors = _tensors(self.stored)
        self._mean, self._variance = tensors.pop(MEAN, None), tensors.pop(VARIANCE, None)
        self.policy = _policy(self.stored, {name.removeprefix(POLICY): t for name, t in tensors.items()})

    @classmethod
    def of(cls, model: BaseAlgorithm, codec: str | None = None) -> SB3Agent:
        """The player that a model is now; training it further leaves the player as it is.

        Parameters
        ----------
        model : BaseAlgorithm
            A DQN, PPO, A2C, TD3 or SAC with ``"MlpPolicy"``, trained in the view of one seat or with SuperSuit in
            those of a role. A ``VecNormalize`` around its environment is taken along.
        codec : str, optional
            What its actions mean; by default its role's usual codec.

        Raises
        ------
        PolicyError
            Where it is another algorithm or policy, or its spaces are no seat's.
        """
        return cls(_stored(model, codec))

    @classmethod
    def load(cls, folder: Path) -> SB3Agent:
        """The policy that :meth:`save` wrote."""
        return cls(folder)

    def save(self, folder: Path) -> None:
        """Write the card and the weights."""
        write_atomically(folder / WEIGHTS, self.stored.weights)
        write_atomically(folder / CARD, json.dumps(self.card.model_dump(mode="json"), indent=1) + "\n")

    def begin(self, seats: Seats, seed: int) -> None:
        """Check that the seats are of the role the policy was trained for; it keeps nothing and draws nothing."""
        for seat, role in seats.roles.items():
            if role != self.card.role:
                allowed = f"a {self.card.role}"
                raise PolicyError(
                    f"policy {self.stored.name!r} for the {role} {seat!r}", None, allowed, "seat it elsewhere"
                )

    def act(self, observations: Mapping[str, Float32]) -> dict[str, NDArray[Any]]:
        """Seat -> one action, from seat -> (field,) observations."""
        return {seat: self.play(seen[None])[0] for seat, seen in observations.items()}

    def act_batch(
        self, observations: Mapping[str, Float32], rng: np.random.Generator, explore: bool
    ) -> dict[str, Float | np.ndarray]:
        """Seat -> (env,) or (env, component) actions, from seat -> (env, field); greedy whatever ``explore`` says."""
        return {seat: self.play(seen) for seat, seen in observations.items()}

    def play(self, observations: Float32) -> NDArray[Any]:
        """(row,) or (row, component) actions of (row, field) observations."""
        wanted = fields.SIZES[self.card.role]
        if observations.shape[-1] != wanted:
            allowed = f"{wanted} fields of a {self.card.role}"
            raise PolicyError("observations, shape", observations.shape, allowed, "seat the policy elsewhere")
        if self._mean is not None and self._variance is not None and self.card.clip is not None:
            scores = (observations - self._mean.numpy()) / np.sqrt(self._variance.numpy() + self.card.epsilon)
            observations = np.clip(scores, -self.card.clip, self.card.clip).astype(np.float32)
        return self.policy.predict(observations, deterministic=True)[0]


def _stored(model: BaseAlgorithm, codec: str | None) -> SB3Stored:
    """What has to be kept of a model."""
    import stable_baselines3

    algorithm = type(model).__name__
    if algorithm not in POLICIES or type(model.policy) is not _policy_class(algorithm):
        found = f"{algorithm} with {type(model.policy).__name__}"
        raise PolicyError("model", found, f'{", ".join(POLICIES)}, with "MlpPolicy"', "wrap it as a FunctionAgent")
    role = _role(model.observation_space)
    tensors = {f"{POLICY}{name}": tensor for name, tensor in model.policy.state_dict().items()}
    scores: Any = model.get_vec_normalize_env()
    kept: dict[str, object] = {}
    if scores is not None and scores.norm_obs:
        statistics = scores.obs_rms
        tensors |= {MEAN: torch.from_numpy(statistics.mean), VARIANCE: torch.from_numpy(statistics.var)}
        kept = {"clip": scores.clip_obs, "epsilon": scores.epsilon}
    weights = safetensors.torch.save({name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()})
    card = {
        "algorithm": algorithm,
        "role": role,
        "codec": DEFAULTS[role] if codec is None else codec,
        "observation_version": fields.VERSION,
        "settings": _settings(model),
        "weights_sha256": digest_of(weights),
        "stable_baselines3": stable_baselines3.__version__,
        "torch": torch.__version__,
        **_actions(model.action_space, DEFAULTS[role] if codec is None else codec, role),
        **kept,
    }
    return SB3Stored(algorithm, SB3Card.parse(card, f"card of {algorithm}"), weights)


def _role(space: spaces.Space[Any]) -> str:
    """Whose observations these are: roles differ in how many fields they see."""
    for role, size in fields.SIZES.items():
        if space.shape == (size,):
            return role
    allowed = ", ".join(f"({size},) of a {role}" for role, size in fields.SIZES.items())
    raise PolicyError("observations of the model, shape", space.shape, allowed, "train it in the view of one seat")


def _actions(space: spaces.Space[Any], codec: str, role: str) -> dict[str, object]:
    """The card's lines about actions."""
    check_codec(codec, role)
    spoken = CODECS[codec]
    if isinstance(space, spaces.Discrete) and spoken.discrete:
        return {"choices": int(space.n)}
    if isinstance(space, spaces.Box) and not spoken.discrete and space.shape == (spoken.width,):
        return {"low": space.low.tolist(), "high": space.high.tolist(), "precise": space.dtype == np.float64}
    allowed = "a choice" if spoken.discrete else f"{spoken.width} numbers"
    raise PolicyError(f"actions of the model for codec {codec!r}", space, allowed, "name the codec it was trained with")


def _settings(model: BaseAlgorithm) -> dict[str, JsonValue]:
    """What the policy was built with, as plain values.

    Raises
    ------
    PolicyError
        Where a setting is code of your own.
    """
    given = {name: value for name, value in model.policy_kwargs.items() if name not in UNUSED}
    if type(model).__name__ in ("PPO", "A2C"):
        given["use_sde"] = bool(model.use_sde)
    if "activation_fn" in given:
        given["activation_fn"] = getattr(given["activation_fn"], "__name__", given["activation_fn"])
    for name, value in given.items():
        if name == "activation_fn" and value not in ACTIVATIONS:
            raise PolicyError("activation_fn of the policy", value, ", ".join(ACTIVATIONS), "wrap a FunctionAgent")
        if not _plain(value):
            raise PolicyError(f"{name} of the policy", value, "plain numbers and words", "wrap it as a FunctionAgent")
    return given


def _plain(value: object) -> bool:
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True


def _tensors(stored: SB3Stored) -> dict[str, torch.Tensor]:
    try:
        tensors = safetensors.torch.load(stored.weights)
    except SafetensorError as error:
        raise PolicyError(f"weights of policy {stored.name!r}: {error}", None, "safetensors", "save it again") from None
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise PolicyError(f"weights of policy {stored.name!r}", "NaN or infinity", "finite numbers", "train it again")
    return tensors


def _policy_class(algorithm: str) -> Any:
    if find_spec("stable_baselines3") is None:
        raise PolicyError(f"policy of {algorithm}", None, "Stable-Baselines3 installed", "pip install 'gridmarl[sb3]'")
    module, _, name = POLICIES[algorithm].partition(":")
    return getattr(import_module(module), name)


def _policy(stored: SB3Stored, tensors: Mapping[str, torch.Tensor]) -> BasePolicy:
    """The policy, built from its card, with its weights.

    Raises
    ------
    PolicyError
        Where the settings make no policy, or another one than the weights are of.
    """
    card, made = stored.card, _policy_class(stored.card.algorithm)
    settings: dict[str, Any] = dict(card.settings)
    name = settings.get("activation_fn", "ReLU")
    if name not in ACTIVATIONS:
        raise PolicyError(f"activation_fn of policy {stored.name!r}", name, ", ".join(ACTIVATIONS), "save it again")
    if "activation_fn" in settings:
        settings["activation_fn"] = getattr(torch.nn, str(name))
    seen = spaces.Box(-np.inf, np.inf, (fields.SIZES[card.role],), np.float32)
    try:
        policy: BasePolicy = made(seen, card.action_space, _no_rate, **settings)
        policy.load_state_dict(dict(tensors))
    except (TypeError, RuntimeError, ValueError, KeyError) as error:
        allowed = f"those of {card.algorithm} with {dict(card.settings)}"
        raise PolicyError(f"weights of policy {stored.name!r}: {error}", None, allowed, "save it again") from None
    policy.set_training_mode(False)
    return policy.requires_grad_(False)


def _no_rate(remaining: float) -> float:
    """The learning rate of a policy that learns no more."""
    return 0.0
