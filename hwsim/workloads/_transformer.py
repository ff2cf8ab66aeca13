"""Transformers: language models, encoders of text and images, speech.

Every matmul counts. Embeddings, normalizations, softmax, rotary positions, activation functions and residual
sums are the host's; ReLU after a matmul is free, being the clamp of its requantization. Attention reads keys and
values from DRAM, to which the projections that made them wrote them.
"""

import dataclasses
from typing import Literal

from hwsim import schema
from hwsim.errors import DesignError
from hwsim.workloads._layers import Attention, Block, Host, Layer, Linear, Options


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decoder:
    """A language model.

    Attributes:
        context: tokens in the cache, or in the prompt, unless asked otherwise.
        hidden, layers, heads, kv_heads, ffn, vocab: sizes; a head has hidden / heads channels.
        gated: gate, up and down projections instead of two.
        norm, norms_per_block, activation: host operators.
        rotary: share of each head's channels that turn with the position.
    """

    title: str
    source: str
    context: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    gated: bool
    vocab: int
    norm: Literal["LayerNorm", "RMSNorm"]
    norms_per_block: int
    activation: Literal["ReLU", "GELU", "SiLU"]
    rotary: float

    STAGES = ("prefill", "decode")

    def __post_init__(self) -> None:
        schema.check_types(self)
        check_heads(self.hidden, self.heads, self.kv_heads)

    def blocks(self, options: Options) -> list[Block]:
        """Prefill: all ``context`` tokens at once. Decode: one token per step, which sees ``context`` with itself."""
        prefill = options.stage == "prefill"
        tokens = options.context if prefill else 1
        contexts = [options.context + step for step in range(1 if prefill else options.generate)]
        rows, steps = options.batch * tokens, len(contexts)
        head = self.hidden // self.heads
        kv = head * self.kv_heads
        norms = [
            Host(f"{at}_norm", self.norm, rows * self.hidden, steps, channels=self.hidden) for at in ("attn", "mlp")
        ]
        layers: list[Layer] = [norms[0], *projections(rows, self.hidden, kv, steps)]
        if self.rotary:
            turned = round((self.heads + self.kv_heads) * head * self.rotary)
            layers.append(Host("rope", "RoPE", rows * turned, steps))
        for context in contexts:
            suffix = f".{context}" if steps > 1 else ""
            layers += attention(options.batch, tokens, context, self.heads, self.kv_heads, head, suffix)
        layers += [Linear("o_proj", rows, self.hidden, self.hidden, steps), _add("attn_add", rows, self.hidden, steps)]
        if self.norms_per_block == 2:
            layers.append(norms[1])
        layers += [*self._feed_forward(rows, steps), _add("mlp_add", rows, self.hidden, steps)]
        last = (
            Host("final_norm", self.norm, rows * self.hidden, steps, channels=self.hidden),
            Linear("lm_head", rows, self.vocab, self.hidden, steps),
        )
        return [
            Block((Host("embedding", "Embedding", rows * self.hidden, steps),)),
            Block(tuple(layers), self.layers),
            Block(last),
        ]

    def _feed_forward(self, rows: int, steps: int) -> list[Layer]:
        if not self.gated:
            return feed_forward(rows, self.hidden, self.ffn, self.activation, steps)
        return [
            Linear("gate_proj", rows, self.ffn, self.hidden, steps),
            Linear("up_proj", rows, self.ffn, self.hidden, steps),
            Host("activation", self.activation, rows * self.ffn, steps),
            Host("multiply", "Multiply", rows * self.ffn, steps, inputs=2),
            Linear("down_proj", rows, self.hidden, self.ffn, steps),
        ]

    def cache_elements(self, options: Options) -> int:
        """Keys and values of all sequences when the last token is done."""
        length = options.context + (options.generate - 1 if options.stage == "decode" else 0)
        return 2 * options.batch * length * self.layers * self.hidden // self.heads * self.kv_heads


@dataclasses.dataclass(frozen=True, kw_only=True)
class Encoder:
    """An encoder of text or of image patches.

    Attributes:
        context: tokens unless asked otherwise; images have theirs.
        embedding: looks tokens up, or multiplies patches.
        image, patch: pixels along a side.
        head: what the encoded sequence is used for: ``pooler`` (of the first token), ``classifier`` or their ``mean``.
        outputs: of the head.
    """

    title: str
    source: str
    context: int = 0
    hidden: int
    layers: int
    heads: int
    ffn: int
    activation: Literal["ReLU", "GELU"]
    embedding: Literal["tokens", "patches"]
    head: Literal["pooler", "classifier", "mean"]
    image: int = 0
    patch: int = 0
    outputs: int = 0

    STAGES = ()

    def __post_init__(self) -> None:
        schema.check_types(self)
        check_heads(self.hidden, self.heads, self.heads)

    def blocks(self, options: Options) -> list[Block]:
        """All tokens of all sequences at once."""
        first: list[Layer]
        if self.embedding == "patches":
            patches = (self.image // self.patch) ** 2
            tokens = patches + 1
            pixels = 3 * self.patch**2
            first = [Linear("patch_embedding", options.batch * patches, self.hidden, pixels)]
        else:
            tokens = options.context
            elements = options.batch * tokens * self.hidden
            first = [
                Host("embedding", "Embedding", elements),
                Host("embedding_norm", "LayerNorm", elements, channels=self.hidden),
            ]
        rows = options.batch * tokens
        positions = Host("position_add", "Add", rows * self.hidden, inputs=2)
        blocks = [Block((first[0], positions, *first[1:])), encoder_block(self, options.batch, tokens, "")]
        if self.embedding == "patches":
            blocks.append(Block((Host("final_norm", "LayerNorm", rows * self.hidden, channels=self.hidden),)))
        if self.head == "mean":
            blocks.append(Block((Host("mean", "Mean", rows * self.hidden),)))
        else:
            blocks.append(Block((Linear(self.head, options.batch, self.outputs, self.hidden),)))
        return blocks

    def cache_elements(self, options: Options) -> int:
        """No keys or values outlive a run."""
        return 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Speech:
    """An encoder of ``frames`` x ``mels`` spectra and a decoder of text that attends to it.

    ``encode`` runs the encoder and the decoder's keys and values of its result; ``decode`` makes one token,
    which sees ``context`` with itself.
    """

    title: str
    source: str
    context: int
    hidden: int
    layers: int
    heads: int
    ffn: int
    activation: Literal["GELU"]
    mels: int
    frames: int
    vocab: int

    STAGES = ("encode", "decode")

    def __post_init__(self) -> None:
        schema.check_types(self)
        check_heads(self.hidden, self.heads, self.heads)

    def blocks(self, options: Options) -> list[Block]:
        """The layers of one stage."""
        return self._encode(options) if options.stage == "encode" else self._decode(options)

    def _encode(self, options: Options) -> list[Block]:
        batch, length, hidden = options.batch, self.frames // 2, self.hidden
        rows = batch * length
        first = (
            Linear("conv1", batch * self.frames, hidden, 3 * self.mels, inputs=batch * self.frames * self.mels),
            Host("conv1_activation", self.activation, batch * self.frames * hidden),
            Linear("conv2", rows, hidden, 3 * hidden, inputs=batch * self.frames * hidden),
            Host("conv2_activation", self.activation, rows * hidden),
            Host("position_add", "Add", rows * hidden, inputs=2),
        )
        cross = tuple(Linear(f"cross_{name}_proj", rows, hidden, hidden, cached=True) for name in "kv")
        return [
            Block(first, prefix="encoder"),
            encoder_block(self, batch, length, "encoder"),
            Block((Host("final_norm", "LayerNorm", rows * hidden, channels=hidden),), prefix="encoder"),
            Block(cross, self.layers, "decoder"),
        ]

    def _decode(self, options: Options) -> list[Block]:
        rows, hidden = options.batch, self.hidden
        contexts = [options.context + step for step in range(options.generate)]
        steps, head = len(contexts), hidden // self.heads

        def norm(name: str) -> Host:
            return Host(name, "LayerNorm", rows * hidden, steps, channels=hidden)

        layers: list[Layer] = [norm("attn_norm"), *projections(rows, hidden, hidden, steps)]
        for context in contexts:
            suffix = f".{context}" if steps > 1 else ""
            layers += attention(rows, 1, context, self.heads, self.heads, head, suffix)
        layers += [Linear("o_proj", rows, hidden, hidden, steps), _add("attn_add", rows, hidden, steps)]
        layers += [norm("cross_norm"), Linear("cross_q_proj", rows, hidden, hidden, steps)]
        for layer in attention(rows, 1, self.frames // 2, self.heads, self.heads, head, ""):
            layers.append(dataclasses.replace(layer, name=f"cross_{layer.name}", times=layer.times * steps))
        layers += [Linear("cross_o_proj", rows, hidden, hidden, steps), _add("cross_add", rows, hidden, steps)]
        layers += [norm("mlp_norm"), *feed_forward(rows, hidden, self.ffn, self.activation, steps)]
        layers.append(_add("mlp_add", rows, hidden, steps))
        first = (Host("embedding", "Embedding", rows * hidden, steps), _add("position_add", rows, hidden, steps))
        last = (norm("final_norm"), Linear("lm_head", rows, self.vocab, hidden, steps))
        return [
            Block(first, prefix="decoder"), Block(tuple(layers), self.layers, "decoder"), Block(last, prefix="decoder"),
        ]  # fmt: skip

    def cache_elements(self, options: Options) -> int:
        """Keys and values of the sound and, when decoding, of the text."""
        text = options.context + options.generate - 1 if options.stage == "decode" else 0
        return 2 * options.batch * self.layers * self.hidden * (self.frames // 2 + text)


def encoder_block(model: Encoder | Speech, batch: int, tokens: int, prefix: str) -> Block:
    """Attention and feed-forward of ``tokens`` that all see each other."""
    rows, hidden = batch * tokens, model.hidden
    layers = [
        Host("attn_norm", "LayerNorm", rows * hidden, channels=hidden),
        *projections(rows, hidden, hidden, 1),
        *attention(batch, tokens, tokens, model.heads, model.heads, hidden // model.heads, ""),
        Linear("o_proj", rows, hidden, hidden),
        _add("attn_add", rows, hidden, 1),
        Host("mlp_norm", "LayerNorm", rows * hidden, channels=hidden),
        *feed_forward(rows, hidden, model.ffn, model.activation, 1),
        _add("mlp_add", rows, hidden, 1),
    ]
    return Block(tuple(layers), model.layers, prefix)


def projections(rows: int, hidden: int, kv: int, steps: int) -> list[Layer]:
    """Queries, keys and values."""
    return [
        Linear("q_proj", rows, hidden, hidden, steps),
        Linear("k_proj", rows, kv, hidden, steps, cached=True),
        Linear("v_proj", rows, kv, hidden, steps, cached=True),
    ]


def attention(
    batch: int, tokens: int, context: int, heads: int, kv_heads: int, head: int, suffix: str
) -> list[Attention | Host]:
    """Scores, softmax and weighted sum of ``tokens`` that see ``context``: the queries of a KV head run together."""
    m, times = heads // kv_heads * tokens, batch * kv_heads
    return [
        Attention(f"attn_qk{suffix}", m, context, head, times, times),
        Host(f"softmax{suffix}", "Softmax", batch * heads * tokens * context),
        Attention(f"attn_v{suffix}", m, head, context, times, times),
    ]


def feed_forward(rows: int, hidden: int, ffn: int, activation: str, steps: int) -> list[Layer]:
    """Two matmuls and what is between them."""
    between = [] if activation == "ReLU" else [Host("activation", activation, rows * ffn, steps)]
    return [Linear("fc1", rows, ffn, hidden, steps), *between, Linear("fc2", rows, hidden, ffn, steps)]


def _add(name: str, rows: int, hidden: int, steps: int) -> Host:
    return Host(name, "Add", rows * hidden, steps, inputs=2)


def check_heads(hidden: int, heads: int, kv_heads: int) -> None:
    """DesignError unless heads divide the channels, and KV heads the heads."""
    if hidden % heads or heads % kv_heads:
        raise DesignError(f"{heads} heads of {hidden} channels with {kv_heads} KV heads do not divide each other")
