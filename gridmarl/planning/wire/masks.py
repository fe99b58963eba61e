"""Pairwise masks that cancel in the sum: secure aggregation without drop-outs.

Bonawitz et al. (2017): every two neighbours agree on a secret by a Diffie-Hellman exchange of public keys (group 14 of
RFC 3526), which the coordinator passes on and cannot read. In each round owner i adds the secret's stream for every
later owner and subtracts it for every earlier one, modulo 2^64. One masked answer is uniformly distributed whatever it
hides; in the sum of all, the masks vanish exactly.

Answers are fixed-point numbers: `RESOLUTION` of a public unit, rounded to nearest, in two's complement. Sums must stay
below `LARGEST` units.

Up to `NEIGHBOURS` + 1 owners are all neighbours of each other. More stand in a ring and have the nearest `NEIGHBOURS`
(Bell et al. 2020), so that an owner's effort does not grow with the crowd. What that costs: an answer is hidden unless
all its owner's neighbours, not all other owners, conspire with the coordinator, and as the coordinator seats the ring,
it is trusted not to seat its friends around one owner. Bell et al. draw the ring's order by lot for that reason.

The coordinator must be honest about the keys it passes on, and at least three owners must take
part: of two, each finds the other's answer in the sum.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import shake_256
from typing import Final

import numpy as np

from gridmarl.errors import PrivacyError
from gridmarl.units import Float, UInt

FRACTION_BITS: Final = 40
RESOLUTION: Final = 2.0**-FRACTION_BITS
"""9.1e-13 of the unit; rounding an answer costs at most half of it."""
LARGEST: Final = 2.0 ** (62 - FRACTION_BITS)
"""Four million units: the sum of all answers must stay below."""
GENERATOR: Final = 2
PRIME: Final = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AACAA68FFFFFFFFFFFFFFFF",
    16,
)
NEIGHBOURS: Final = 20
"""With how many others an owner shares masks, at most."""
KEY_BYTES: Final = 256
SECRET_BITS: Final = 256


def fixed_point(values: Float) -> UInt:
    """Numbers in their public units, each below `LARGEST`, as words modulo 2^64."""
    return np.rint(values / RESOLUTION).astype(np.int64).view(np.uint64)


def real(words: UInt) -> Float:
    """Numbers in their units, from words (a sum of masked ones, or a single unmasked one)."""
    return words.view(np.int64).astype(np.float64) * RESOLUTION


def summed(masked: Sequence[UInt]) -> Float:
    """The sum of all owners' masked answers."""
    total: UInt = np.add.reduce(np.stack(masked), axis=0)  # wraps around
    return real(total)


def neighbours(place: int, owners: int) -> tuple[list[int], list[int]]:
    """Places of the neighbours in the ring, those before and those after one's own: being neighbours is mutual."""
    near = sorted({(place + step) % owners for step in range(-NEIGHBOURS // 2, NEIGHBOURS // 2 + 1)} - {place})
    return [at for at in near if at < place], [at for at in near if at > place]


class Masker:
    """One owner's secrets in one plan: from a key pair and the others' public keys to a new mask for every answer."""

    def __init__(self) -> None:
        self._secret = secrets.randbits(SECRET_BITS) | 1 << (SECRET_BITS - 1)
        self.public_key = pow(GENERATOR, self._secret, PRIME).to_bytes(KEY_BYTES, "big")
        self._earlier, self._later = list[bytes](), list[bytes]()
        self._used, self._met, self._owners = 0, False, 1

    @property
    def largest(self) -> float:
        """What one answer may hold at most, in units, so that no sum of all can overflow."""
        return LARGEST / self._owners

    def meet(self, public_keys: bytes, place: int) -> None:
        """Agree with every neighbour on a secret; ``place`` is one's own among the keys.

        Raises
        ------
        PrivacyError
            Where one's own key was replaced, another's has no secret in it, or a second roster would use masks again.
        """
        if self._met:
            raise PrivacyError("roster of public keys", "a second one", "one for each plan")
        keys = [public_keys[at : at + KEY_BYTES] for at in range(0, len(public_keys), KEY_BYTES)]
        if keys[place] != self.public_key:
            raise PrivacyError("roster of public keys", f"another key at place {place}", "one's own")
        self._earlier, self._later = (
            [self._shared(int.from_bytes(keys[at], "big")) for at in side] for side in neighbours(place, len(keys))
        )
        self._met, self._owners = True, len(keys)

    def mask(self, values: Float) -> UInt:
        """Numbers in their units, under a mask that is used once.

        Raises
        ------
        PrivacyError
            Before `meet`, or for numbers that are too large or not finite: they would read as something else.
        """
        if not self._met:
            raise PrivacyError("a masked answer", "no roster yet", "an answer after the keys were exchanged")
        if not np.all(np.abs(values) <= self.largest):
            raise PrivacyError("a masked answer", float(np.max(np.abs(values))), f"at most {self.largest:.3g} units")
        words = fixed_point(values)
        for secret in self._later:
            words = words + self._stream(secret, len(words))
        for secret in self._earlier:
            words = words - self._stream(secret, len(words))
        self._used += 1
        return words

    def _shared(self, key: int) -> bytes:
        if not 1 < key < PRIME - 1:
            raise PrivacyError("public key", key, "between 1 and the group's prime less 1")
        return shake_256(pow(key, self._secret, PRIME).to_bytes(KEY_BYTES, "big")).digest(32)

    def _stream(self, secret: bytes, count: int) -> UInt:
        """As many words of this answer's number, the same for both who share the secret."""
        return np.frombuffer(shake_256(secret + self._used.to_bytes(8, "big")).digest(8 * count), "<u8")
