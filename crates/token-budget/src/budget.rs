//! How a model's window is divided between prompt and reply.

#[cfg(test)]
mod tests;

use crate::ModelLimits;

/// The operator's limits that bind the web chat's routes, and those alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebChatLimits {
    /// `MAX_TOKENS`: the greatest window that is used, whatever the model has.
    pub max_tokens: u32,
    /// `REPLY_TOKENS`: the reply allowance when the request names none.
    pub reply_tokens: u32,
    /// `REPLY_TOKENS_MAX`: the greatest reply allowance that a request can ask for.
    pub reply_tokens_max: u32,
}

impl Default for WebChatLimits {
    fn default() -> Self {
        Self {
            max_tokens: 128_000,
            reply_tokens: 800,
            reply_tokens_max: 4_000,
        }
    }
}

/// The division of a model's window for one turn, in tokens.
///
/// A prompt of at most [`prompt`](Self::prompt) and a reply of at most [`reply`](Self::reply) fit the
/// window together, with [`margin`](Self::margin) to spare for counts that are estimates. Whoever
/// sends a token limit upstream sends `reply`, not the number the request asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// *W*: prompt and reply together.
    pub window: u32,
    /// *R*: what is kept free for the reply; at most half the window and the model's output cap.
    pub reply: u32,
    /// *M*: what is kept free because counts are estimates: 0.5 % of the window and at least 64, or
    /// 10 % of it when the encoding is a guess; rounded up.
    pub margin: u32,
    /// *B*: the most that a prompt may cost; 0 when the window is too small for any.
    pub prompt: u32,
    /// *T*: what a prompt should cost after summarising: three quarters of `prompt`.
    pub target: u32,
}

impl Budget {
    /// The budget of a turn on the web chat's routes, where the operator's `MAX_TOKENS` and
    /// `REPLY_TOKENS` bind.
    ///
    /// `requested` is the request's `max_tokens`; it is brought into 1 to `reply_tokens_max`. The
    /// window of an unknown model is `max_tokens`.
    pub fn for_web_chat(
        model: &ModelLimits,
        operator: &WebChatLimits,
        requested: Option<u32>,
    ) -> Self {
        let window = if model.known {
            operator.max_tokens.min(model.window)
        } else {
            operator.max_tokens
        };
        let reply = requested.map_or(operator.reply_tokens, |tokens| {
            tokens.min(operator.reply_tokens_max).max(1)
        });
        Self::divide(model, window, reply)
    }

    /// The budget of a turn on every other route, where only the model's own limits bind.
    ///
    /// `requested` is the request's own token limit; without one a quarter of the window is kept for
    /// the reply, or the model's output cap if that is less.
    pub fn for_model(model: &ModelLimits, requested: Option<u32>) -> Self {
        let reply = requested.unwrap_or(model.window / 4);
        Self::divide(model, model.window, reply)
    }

    /// The same budget with at most `tokens` for the prompt, for requests that limit it themselves.
    #[must_use]
    pub fn with_prompt_cap(self, tokens: u32) -> Self {
        let prompt = self.prompt.min(tokens);
        Self {
            prompt,
            target: three_quarters(prompt),
            ..self
        }
    }

    fn divide(model: &ModelLimits, window: u32, reply: u32) -> Self {
        let reply = reply
            .min(window / 2)
            .min(model.output_cap.unwrap_or(u32::MAX));
        let margin = if model.encoding_is_guess {
            window.div_ceil(10)
        } else {
            window.div_ceil(200).max(64)
        };
        let prompt = (window - reply)
            .min(model.input_cap.unwrap_or(u32::MAX))
            .saturating_sub(margin);
        Self {
            window,
            reply,
            margin,
            prompt,
            target: three_quarters(prompt),
        }
    }
}

// Without the product, which could overflow: a quarter rounded up is what is left out.
const fn three_quarters(tokens: u32) -> u32 {
    tokens - tokens.div_ceil(4)
}
