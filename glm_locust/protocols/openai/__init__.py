"""OpenAI's chat completions, streamed: what vLLM, transformers and many others serve."""

from glm_locust.protocols.openai.request import CHAT_PATH, MODELS_PATH, chat_request
from glm_locust.protocols.openai.session import OpenAISession
from glm_locust.protocols.openai.wire import error_text, model_names

__all__ = ["CHAT_PATH", "MODELS_PATH", "OpenAISession", "chat_request", "error_text", "model_names"]
