"""Stable Diffusion as a source of structure: inversion, null-text optimisation, guided steps, or one pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from inference_server.models.zeroov.config import ZeroOVConfig
from inference_server.models.zeroov.structure import LATENT_SIDE, fused, recording, recording_words

#: told(done, total); may raise to cancel.
Told = Callable[[int, int], None]
#: Stable Diffusion's noise schedule, as null-text inversion uses it.
SCHEDULE = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False,
    "set_alpha_to_one": False,
}  # fmt: skip
#: Null-text optimisation: rate, and the loss from which a timestep is done, at the first and per further one.
RATE, ENOUGH, ENOUGH_MORE = 1e-2, 1e-5, 2e-5


def _silent(done: int, total: int) -> None:
    """For those who do not look."""


@dataclass(frozen=True, eq=False)
class DiffusionModel:
    """The parts of Stable Diffusion 1.4.

    Attributes:
        unet, vae: ``UNet2DConditionModel``, ``AutoencoderKL``.
        text_encoder, tokenizer: ``CLIPTextModel``, ``CLIPTokenizer``.
    """

    unet: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any

    @property
    def latent_side(self) -> int:
        return int(self.unet.config.sample_size)

    @property
    def image_side(self) -> int:
        """Pixels of the square that an image is stretched to."""
        return self.latent_side * 2 ** (len(self.vae.config.block_out_channels) - 1)

    @torch.no_grad()
    def latent_of(self, rgb: NDArray[np.uint8]) -> Tensor:
        """(1, channel, side, side): mean of the VAE's posterior of (3, row, col) uint8, scaled."""
        side = self.image_side
        picture = Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0))).resize((side, side))
        pixels = torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).copy()).to(self.unet.device, self.unet.dtype)
        mean: Tensor = self.vae.encode((pixels / 127.5 - 1.0)[None]).latent_dist.mean
        return mean * self.vae.config.scaling_factor

    @torch.no_grad()
    def embedded(self, prompt: str) -> Tensor:
        """(1, token, channel) of a prompt, padded and cut to the encoder's length."""
        tokens = self.tokenizer(
            prompt, padding="max_length", max_length=self.tokenizer.model_max_length, truncation=True,
            return_tensors="pt",
        )  # fmt: skip
        out: Tensor = self.text_encoder(tokens.input_ids.to(self.unet.device))[0]
        return out

    def noise(self, latent: Tensor, timestep: int, context: Tensor) -> Tensor:
        """The U-Net's prediction."""
        out: Tensor = self.unet(latent, timestep, encoder_hidden_states=context).sample
        return out


class Ddim:
    """Deterministic DDIM forward and back, between the timesteps of so many steps (Song et al. 2021, Eq. 12)."""

    def __init__(self, steps: int) -> None:
        from diffusers import DDIMScheduler

        make: Any = DDIMScheduler
        scheduler = make(**SCHEDULE)
        scheduler.set_timesteps(steps)
        #: From noise to image.
        self.timesteps = [int(t) for t in scheduler.timesteps]
        self._stride = scheduler.config.num_train_timesteps // steps
        self._alphas = scheduler.alphas_cumprod
        self._final = scheduler.final_alpha_cumprod

    def back(self, latent: Tensor, noise: Tensor, timestep: int) -> Tensor:
        """One step towards the image."""
        return self._moved(latent, noise, self._alpha(timestep), self._alpha(timestep - self._stride))

    def forth(self, latent: Tensor, noise: Tensor, timestep: int) -> Tensor:
        """One step towards noise, to ``timestep``."""
        return self._moved(latent, noise, self._alpha(timestep - self._stride), self._alpha(timestep))

    def noised(self, latent: Tensor, noise: Tensor, timestep: int) -> Tensor:
        """The latent as it would be at a timestep of the forward process."""
        alpha = self._alpha(timestep)
        return alpha**0.5 * latent + (1 - alpha) ** 0.5 * noise

    def _alpha(self, timestep: int) -> float:
        return float(self._alphas[timestep] if timestep >= 0 else self._final)

    @staticmethod
    def _moved(latent: Tensor, noise: Tensor, alpha: float, wanted: float) -> Tensor:
        origin = (latent - (1 - alpha) ** 0.5 * noise) / alpha**0.5
        return wanted**0.5 * origin + (1 - wanted) ** 0.5 * noise


@torch.no_grad()
def inverted(model: DiffusionModel, latent: Tensor, context: Tensor, ddim: Ddim, told: Told = _silent) -> list[Tensor]:
    """DDIM inversion: the latent and what it is at each timestep, from image to noise."""
    out = [latent]
    for number, timestep in enumerate(reversed(ddim.timesteps)):
        told(number, len(ddim.timesteps))
        out.append(ddim.forth(out[-1], model.noise(out[-1], timestep, context), timestep))
    return out


def null_texts(
    model: DiffusionModel, trajectory: list[Tensor], context: Tensor, ddim: Ddim, config: ZeroOVConfig,
    told: Told = _silent,
) -> tuple[list[Tensor], list[list[float]]]:  # fmt: skip
    """Null-text optimisation (Mokady et al. 2023): unconditional embeddings by which guidance retraces an inversion.

    Returns:
        the embedding at each timestep, from noise to image, and the losses of its inner steps.
    """
    empty = model.embedded("")
    latent = trajectory[-1]
    out, losses = [], []
    for number, timestep in enumerate(ddim.timesteps):
        told(number, len(ddim.timesteps))
        target = trajectory[-2 - number]
        empty = empty.detach().clone().requires_grad_(True)
        optimizer = torch.optim.Adam([empty], lr=RATE * (1.0 - number / 100.0))
        with torch.no_grad():
            conditional = model.noise(latent, timestep, context)
        lost: list[float] = []
        for _ in range(config.null_text_steps):
            with torch.enable_grad():
                plain = model.noise(latent, timestep, empty)
                noise = plain + config.guidance * (conditional - plain)
                loss = functional.mse_loss(ddim.back(latent, noise, timestep), target)
                (gradient,) = torch.autograd.grad(loss, [empty])
            empty.grad = gradient
            optimizer.step()
            lost.append(float(loss.detach()))
            if lost[-1] < ENOUGH + number * ENOUGH_MORE:
                break
        out.append(empty.detach())
        losses.append(lost)
        with torch.no_grad():
            latent = ddim.back(latent, _guided(model, latent, timestep, out[-1], context, config.guidance), timestep)
    return out, losses


def _guided(
    model: DiffusionModel, latent: Tensor, timestep: int, empty: Tensor, context: Tensor, guidance: float
) -> Tensor:
    both = model.noise(torch.cat([latent, latent]), timestep, torch.cat([empty, context]))
    plain, conditional = both.chunk(2)
    return plain + guidance * (conditional - plain)


#: Resolution at which cross-attention says most of words (Hertz et al. 2023), for a latent of 64.
WORDS_AT = 16


@torch.no_grad()
def words_of(model: DiffusionModel, latent: Tensor, prompt: str, config: ZeroOVConfig) -> NDArray[np.float32]:
    """A_C of the diffusion model itself: how much cells attend to the prompt's words ("w/o VLM", Table 7).

    One pass at the noise of ``config.fast_timestep``; (n, n) up to a factor.
    """
    context = model.embedded(prompt)
    count = len(model.tokenizer(prompt, truncation=True, max_length=model.tokenizer.model_max_length).input_ids)
    tokens = torch.zeros(context.shape[1], dtype=torch.bool, device=context.device)
    tokens[:count] = True
    with recording_words(model.unet, model.latent_side, WORDS_AT, tokens) as recorder:
        model.noise(_slightly_noised(latent, config), config.fast_timestep, context)
    return recorder.map()


def _slightly_noised(latent: Tensor, config: ZeroOVConfig) -> Tensor:
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0)).to(latent.device, latent.dtype)
    return Ddim(config.steps).noised(latent, noise, config.fast_timestep)


def structure_of(
    model: DiffusionModel, latent: Tensor, prompt: str, config: ZeroOVConfig, told: Told = _silent
) -> NDArray[np.float32]:
    """A_S on a grid of half the latent's side (Eq. 2).

    Args:
        latent: of ``DiffusionModel.latent_of``.
        prompt: the expression; "" makes A_S a matter of the tile alone.
        config: its mode, steps and resolutions.
        told: progress over all passes.
    """
    side = model.latent_side
    context = model.embedded(prompt)
    if config.focus == "fast":
        told(0, 1)
        with recording(model.unet, side, config.resolutions) as recorder, torch.no_grad():
            model.noise(_slightly_noised(latent, config), config.fast_timestep, context)
        return fused(recorder.maps(), side * 32 // LATENT_SIDE)
    ddim = Ddim(config.steps)
    total = config.steps * (1 if config.focus == "ddim" else 3)
    if config.focus == "ddim":
        with recording(model.unet, side, config.resolutions) as recorder:
            inverted(model, latent, context, ddim, lambda done, _: told(done, total))
        return fused(recorder.maps(), side * 32 // LATENT_SIDE)
    trajectory = inverted(model, latent, context, ddim, lambda done, _: told(done, total))
    empties, _ = null_texts(model, trajectory, context, ddim, config, lambda done, _: told(config.steps + done, total))
    current = trajectory[-1]
    with recording(model.unet, side, config.resolutions) as recorder, torch.no_grad():
        for number, timestep in enumerate(ddim.timesteps):
            told(2 * config.steps + number, total)
            noise = _guided(model, current, timestep, empties[number], context, config.guidance)
            current = ddim.back(current, noise, timestep)
    return fused(recorder.maps(), side * 32 // LATENT_SIDE)
