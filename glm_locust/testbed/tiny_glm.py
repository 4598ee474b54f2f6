"""Makes a tiny model of GLM-4.6V-Flash's architecture whose one answer is known.

Run as a script, `PYTHON tiny_glm.py DIRECTORY`, by the Python of a real engine: it needs torch,
torchvision and transformers, imports nothing of ours and downloads nothing. Processor, image encoder and
layers are the real ones, small and with random weights. Only the last step is wired: each token of
`REASONING` and `ANSWER` makes the next one by far the likeliest, so the model says exactly these whatever
it is asked, however it is sampled, and stops. With thinking off it says the answer alone. Asked to go on
past the end, it says the answer again and again. `reply.json` in the directory holds both texts and their
lengths in tokens.
"""

import itertools
import json
import pydoc_data.topics
import sys
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    Glm4vConfig,
    Glm4vForConditionalGeneration,
    Glm46VProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.glm46v.image_processing_glm46v import Glm46VImageProcessor
from transformers.models.glm46v.video_processing_glm46v import Glm46VVideoProcessor

# No token may come twice in both together: it could have one successor only.
REASONING = "First the colours, then every shape; nothing moves!"
ANSWER = "大 means large: a red circle lies left of one blue square ✓ and some green line runs below both."

VOCABULARY = 4096
WIDTH = 256
SPECIAL = [
    "<|endoftext|>",
    "[MASK]",
    "[gMASK]",
    "[sMASK]",
    "<sop>",
    "<eop>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|observation|>",
    "<|begin_of_image|>",
    "<|end_of_image|>",
    "<|begin_of_video|>",
    "<|end_of_video|>",
    "<|begin_of_audio|>",
    "<|end_of_audio|>",
    "<|begin_of_transcription|>",
    "<|end_of_transcription|>",
    "<|code_prefix|>",
    "<|code_middle|>",
    "<|code_suffix|>",
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<arg_key>",
    "</arg_key>",
    "<arg_value>",
    "</arg_value>",
    "/nothink",
    "<|begin_of_box|>",
    "<|end_of_box|>",
    "<|image|>",
    "<|video|>",
]
"""In the order of the real tokenizer, where they hold the ids from 151329 on."""
SHOWN = {token for token in SPECIAL if token.strip("</>").startswith(("think", "tool_", "arg_", "nothink"))}
"""Those that stay in the text a server sends."""
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = """[gMASK]<sop>
{%- macro render(content) -%}
{%- if content is string -%}{{ content }}
{%- else -%}{%- for item in content -%}
{%- if item.type == 'image' or 'image' in item -%}<|begin_of_image|><|image|><|end_of_image|>
{%- elif item.type == 'text' -%}{{ item.text }}
{%- endif -%}{%- endfor -%}{%- endif -%}
{%- endmacro -%}
{%- set quiet = enable_thinking is defined and not enable_thinking -%}
{%- for message in messages -%}
<|{{ message.role }}|>{{ '\\n' }}
{%- if message.role == 'assistant' -%}<think></think>{%- endif -%}
{{ render(message.content) }}
{%- if message.role == 'user' and quiet -%}/nothink{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|assistant|>{{ '<think></think>' if quiet else '' }}{%- endif -%}"""


def tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE learnt from Python's own help texts, with GLM's special tokens."""
    bpe = Tokenizer(models.BPE(byte_fallback=False))
    split = pre_tokenizers.Split(Regex(WORDS), "isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([split, to_bytes])
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # The ASCII words of the reply become tokens; its other characters stay several tokens each.
    known = [word for word in (REASONING + ANSWER).split() if word.isascii()]
    texts = sorted(pydoc_data.topics.topics.values())
    bpe.train_from_iterator([*texts, *(" " + " ".join(known) for _ in range(50))], trainer)
    bpe.add_tokens([AddedToken(token, special=token not in SHOWN, normalized=False) for token in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=SPECIAL[0],
        pad_token=SPECIAL[0],
        padding_side="left",
        extra_special_tokens={"image_token": "<|image|>", "video_token": "<|video|>"},
        clean_up_tokenization_spaces=False,
        model_max_length=32768,
    )


def model(words: PreTrainedTokenizerFast) -> Glm4vForConditionalGeneration:
    """The architecture with random weights; comments give the real one's sizes."""
    ids = words.convert_tokens_to_ids
    stop = ids(["<|endoftext|>", "<|user|>", "<|observation|>"])
    text = {  # 4096 wide, 40 layers, 32 heads
        "vocab_size": VOCABULARY,
        "hidden_size": WIDTH,
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32768,
        "pad_token_id": stop[0],
        "eos_token_id": stop,
        "attention_bias": True,
        "rms_norm_eps": 1e-5,
        "dtype": "float32",
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 500000,
            "mrope_section": [4, 6, 6],
            "partial_rotary_factor": 0.5,
        },
    }
    vision = {  # 1536 wide, 24 layers, 12 heads
        "depth": 2,
        "hidden_size": 128,
        "num_heads": 2,
        "intermediate_size": 256,
        "out_hidden_size": WIDTH,
        "image_size": 336,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "hidden_act": "silu",
        "attention_bias": False,
    }
    config = Glm4vConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids("<|image|>"),
        video_token_id=ids("<|video|>"),
        image_start_token_id=ids("<|begin_of_image|>"),
        image_end_token_id=ids("<|end_of_image|>"),
        video_start_token_id=ids("<|begin_of_video|>"),
        video_end_token_id=ids("<|end_of_video|>"),
        tie_word_embeddings=False,
        eos_token_id=stop,
        pad_token_id=stop[0],
    )
    torch.manual_seed(0)
    made = Glm4vForConditionalGeneration(config).eval()
    made.generation_config = GenerationConfig(
        do_sample=True, temperature=0.8, top_p=0.6, top_k=2, eos_token_id=stop, pad_token_id=stop[0]
    )
    return made


def successors(words: PreTrainedTokenizerFast) -> dict[int, list[int]]:
    """Token -> those after which it is said."""
    begin, think, thought, end = words.convert_tokens_to_ids(
        ["<|assistant|>", "<think>", "</think>", "<|endoftext|>"]
    )
    reasoning, answer = words.encode(REASONING), words.encode(ANSWER)
    said = [begin, think, *reasoning, thought, *answer, end]
    twice = {words.decode([token]) for token in said if said.count(token) > 1}
    if twice:
        raise SystemExit(f"tokens that come twice in the reply: {sorted(twice)}")
    after = {token: [before] for before, token in itertools.pairwise(said)}
    after[answer[0]].append(end)
    return after


def wire(made: Glm4vForConditionalGeneration, words: PreTrainedTokenizerFast) -> None:
    """Make the last token alone decide the next one; everything is still computed."""
    embeddings, head = made.model.language_model.embed_tokens.weight, made.lm_head.weight
    with torch.no_grad():
        embeddings.normal_()
        for layer in made.model.language_model.layers:
            # What the layers add stays small beside the token they add it to.
            layer.post_self_attn_layernorm.weight.fill_(0.05)
            layer.post_mlp_layernorm.weight.fill_(0.05)
        for token, before in successors(words).items():
            head[token] = 0.1 * embeddings[before].sum(0)


def main(directory: Path) -> None:
    """Write model, processor and reply.json."""
    words = tokenizer()
    made = model(words)
    wire(made, words)
    made.save_pretrained(directory)
    Glm46VProcessor(
        Glm46VImageProcessor(), words, Glm46VVideoProcessor(), chat_template=CHAT_TEMPLATE
    ).save_pretrained(directory)
    reply = {
        "reasoning": REASONING,
        "reasoning_tokens": len(words.encode(REASONING)),
        "answer": ANSWER,
        "answer_tokens": len(words.encode(ANSWER)),
    }
    (directory / "reply.json").write_text(json.dumps(reply))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
