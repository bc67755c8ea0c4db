"""Cellpose 4's network in torch: a transformer over patches of one tile, and a layer that makes pixels of them.

Pachitariu, Rariden & Stringer 2025 (Cellpose-SAM, doi 10.1101/2025.04.28.651001); attention with relative positions as
in Li et al. 2022 (ViTDet, MViTv2). Names follow the official checkpoints (cpsam, cpsam_v2), so that state_dicts are
interchangeable. `core.inference.transformer_graph` builds the same network without torch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellspan.core.models.architecture import OUTPUTS
from cellspan.core.models.transformer import Transformer, unfolding

EPSILON = 1e-6  # of all normalisations
SKIPPED = (
    0.4  # how often the last block is left out of a training step; the first never is, those between in proportion
)


class _Patches(nn.Module):
    """Squares of pixels to tokens: (N, C, Y, X) -> (N, y, x, width)."""

    def __init__(self, sizes: Transformer) -> None:
        super().__init__()
        self.proj = nn.Conv2d(sizes.channels, sizes.width, sizes.patch, stride=sizes.patch)

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.proj(images).permute(0, 2, 3, 1)
        return result


class _Attention(nn.Module):
    """Every token gathers from all tokens, weighted by what both hold and by how far they are apart along y and x."""

    def __init__(self, sizes: Transformer, rows: int) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.qkv = nn.Linear(sizes.width, 3 * sizes.width)
        self.proj = nn.Linear(sizes.width, sizes.width)
        self.rel_pos_h = nn.Parameter(torch.zeros(rows, sizes.head))
        self.rel_pos_w = nn.Parameter(torch.zeros(rows, sizes.head))

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, y, x, width) -> the same shape."""
        count, height, width, _ = tokens.shape
        split = self.qkv(tokens).reshape(count, height * width, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        queries, keys, values = split.unbind()  # (N, heads, tokens, head)
        gathered = functional.scaled_dot_product_attention(
            queries, keys, values, self._nearness(queries.unflatten(2, (height, width)))
        )
        result: Tensor = self.proj(gathered.transpose(1, 2).reshape(tokens.shape))
        return result

    def _nearness(self, queries: Tensor) -> Tensor:
        """What the places of two tokens add to their weight: (N, heads, tokens, tokens)."""
        height, width = queries.shape[2:4]
        rows = torch.einsum("nhyxc,ykc->nhyxk", queries, _of_distances(self.rel_pos_h, height))
        columns = torch.einsum("nhyxc,xkc->nhyxk", queries, _of_distances(self.rel_pos_w, width))
        return (rows[..., :, None] + columns[..., None, :]).flatten(4).flatten(2, 3)


def _of_distances(table: Tensor, side: int) -> Tensor:
    """A table of relative positions (rows, head) -> (side, side, head): for each place those of all places."""
    wanted = 2 * side - 1
    if len(table) != wanted:
        table = functional.interpolate(table.T[None], wanted, mode="linear")[0].T
    places = torch.arange(side, device=table.device)
    return table[places[:, None] - places + side - 1]


class _TwoLayers(nn.Module):
    def __init__(self, sizes: Transformer) -> None:
        super().__init__()
        self.lin1 = nn.Linear(sizes.width, sizes.hidden)
        self.lin2 = nn.Linear(sizes.hidden, sizes.width)

    def forward(self, tokens: Tensor) -> Tensor:
        result: Tensor = self.lin2(functional.gelu(self.lin1(tokens)))
        return result


class _Block(nn.Module):
    """Attention, then two layers for each token alone; each adds to what comes in."""

    def __init__(self, sizes: Transformer, rows: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(sizes.width, eps=EPSILON)
        self.attn = _Attention(sizes, rows)
        self.norm2 = nn.LayerNorm(sizes.width, eps=EPSILON)
        self.mlp = _TwoLayers(sizes)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        result: Tensor = tokens + self.mlp(self.norm2(tokens))
        return result


class _ChannelNorm(nn.LayerNorm):
    """Normalises the channels of each place: (N, C, y, x) -> the same shape."""

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features.movedim(1, -1)).movedim(-1, 1)


class _Encoder(nn.Module):
    def __init__(self, sizes: Transformer) -> None:
        super().__init__()
        self.patch_embed = _Patches(sizes)
        self.pos_embed = nn.Parameter(torch.zeros(1, sizes.side, sizes.side, sizes.width))
        self.blocks = nn.ModuleList(_Block(sizes, rows) for rows in sizes.rows)
        self.neck = nn.Sequential(
            nn.Conv2d(sizes.width, sizes.neck, 1, bias=False),
            _ChannelNorm(sizes.neck, eps=EPSILON),
            nn.Conv2d(sizes.neck, sizes.neck, 3, padding=1, bias=False),
            _ChannelNorm(sizes.neck, eps=EPSILON),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, Y, X) -> (N, neck, y, x)."""
        tokens = self.patch_embed(images) + self.pos_embed
        if self.training:
            drawn = torch.rand((len(tokens), len(self.blocks)), device=tokens.device)
            left_out = drawn < torch.linspace(0, SKIPPED, len(self.blocks), device=tokens.device)
        for number, block in enumerate(self.blocks):
            if not self.training:
                tokens = block(tokens)
            elif not left_out[:, number].all():
                tokens = torch.where(left_out[:, number, None, None, None], tokens, block(tokens))
        result: Tensor = self.neck(tokens.permute(0, 3, 1, 2))
        return result


class TransformerNetwork(nn.Module):
    """(N, C, tile, tile) normalised images -> (N, 3, tile, tile): 5 x y flow, 5 x x flow, logit of the probability."""

    def __init__(self, sizes: Transformer, diameter: float = 30.0) -> None:
        """A network of these sizes with random weights; `diameter` is that of training, in pixels."""
        super().__init__()
        self.sizes = sizes
        self.encoder = _Encoder(sizes)
        self.out = nn.Conv2d(sizes.neck, sizes.outputs * sizes.patch**2, 1)
        # Checkpoints contain these.
        fixed = {"W2": torch.from_numpy(unfolding(sizes.outputs, sizes.patch))}
        fixed |= dict.fromkeys(("diam_mean", "diam_labels"), torch.tensor([float(diameter)]))
        for name, value in fixed.items():
            setattr(self, name, nn.Parameter(value.clone(), requires_grad=False))

    def forward(self, images: Tensor) -> Tensor:
        """Outputs of a batch of tiles."""
        of_patches = self.out(self.encoder(images))[:, -OUTPUTS * self.sizes.patch**2 :]
        return functional.pixel_shuffle(of_patches, self.sizes.patch)
