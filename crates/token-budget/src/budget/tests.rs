use proptest::prelude::*;

use super::*;
use crate::{Encoding, ModelTable};

fn model(name: &str) -> ModelLimits {
    ModelTable::builtin().find(name)
}

#[test]
fn the_web_chat_defaults_divide_128_000_tokens() {
    assert_eq!(
        Budget::for_web_chat(&model("gpt-4o-mini"), &WebChatLimits::default(), None),
        Budget {
            window: 128_000,
            reply: 800,
            margin: 640,
            prompt: 126_560,
            target: 94_920,
        }
    );
}

#[test]
fn a_guessed_encoding_keeps_a_tenth_as_margin() {
    let budget = Budget::for_web_chat(&model("llama-3.3"), &WebChatLimits::default(), None);
    assert_eq!((budget.margin, budget.prompt), (12_800, 114_400));
}

#[test]
fn a_small_window_keeps_a_margin_of_64() {
    let budget = Budget::for_model(&ModelLimits::new(2_048, Encoding::O200kBase), None);
    assert_eq!(
        budget,
        Budget {
            window: 2_048,
            reply: 512,
            margin: 64,
            prompt: 1_472,
            target: 1_104,
        }
    );
}

#[test]
fn the_input_cap_binds_where_the_window_would_allow_more() {
    let budget = Budget::for_model(&model("gpt-5"), Some(1_000));
    assert_eq!((budget.margin, budget.prompt), (2_000, 270_000));
}

#[test]
fn the_web_chat_window_is_the_smaller_of_model_and_operator() {
    let operator = WebChatLimits {
        max_tokens: 200_000,
        ..WebChatLimits::default()
    };
    for (name, window) in [
        ("gpt-4", 8_192),
        ("gpt-4.1", 200_000),
        ("unheard-of", 200_000),
    ] {
        let budget = Budget::for_web_chat(&model(name), &operator, None);
        assert_eq!(budget.window, window, "{name}");
    }
}

#[test]
fn the_web_chat_brings_a_requested_reply_into_its_bounds() {
    let operator = WebChatLimits::default();
    for (requested, reply) in [(0, 1), (1, 1), (500, 500), (4_000, 4_000), (90_000, 4_000)] {
        let budget = Budget::for_web_chat(&model("gpt-4.1"), &operator, Some(requested));
        assert_eq!(budget.reply, reply, "{requested}");
    }
}

#[test]
fn elsewhere_the_operators_limits_do_not_bind() {
    assert_eq!(Budget::for_model(&model("gpt-4.1"), None).window, 1_047_576);
    assert_eq!(
        Budget::for_model(&model("gpt-4o"), Some(9_000)).reply,
        9_000
    );
}

#[test]
fn elsewhere_the_reply_is_the_lesser_of_output_cap_and_a_quarter() {
    for (name, reply) in [("gpt-4o", 16_384), ("gpt-4", 2_048), ("unheard-of", 32_000)] {
        assert_eq!(Budget::for_model(&model(name), None).reply, reply, "{name}");
    }
}

#[test]
fn no_reply_takes_more_than_half_the_window_or_the_output_cap() {
    assert_eq!(Budget::for_model(&model("gpt-4"), Some(8_000)).reply, 4_096);
    assert_eq!(
        Budget::for_model(&model("gpt-4o"), Some(99_000)).reply,
        16_384
    );
}

#[test]
fn a_prompt_cap_lowers_prompt_and_target_and_never_raises_them() {
    let budget = Budget::for_model(&model("gpt-4"), None);
    let capped = budget.clone().with_prompt_cap(1_000);
    assert_eq!((capped.prompt, capped.target), (1_000, 750));
    assert_eq!(budget.clone().with_prompt_cap(u32::MAX), budget);
}

#[test]
fn a_window_smaller_than_its_margin_leaves_no_prompt() {
    let budget = Budget::for_model(&ModelLimits::new(50, Encoding::O200kBase), None);
    assert_eq!((budget.prompt, budget.target), (0, 0));
}

prop_compose! {
    fn any_model()(
        window in prop_oneof![0_u32..4_096, any::<u32>()],
        input_cap in any::<Option<u32>>(),
        output_cap in any::<Option<u32>>(),
        encoding_is_guess in any::<bool>(),
        known in any::<bool>(),
    ) -> ModelLimits {
        ModelLimits { window, input_cap, output_cap, encoding: Encoding::O200kBase, encoding_is_guess, known }
    }
}

fn check(budget: &Budget, model: &ModelLimits) -> Result<(), TestCaseError> {
    let sum = u64::from(budget.prompt) + u64::from(budget.reply);
    prop_assert!(sum <= u64::from(budget.window));
    prop_assert!(budget.prompt <= model.input_cap.unwrap_or(u32::MAX));
    prop_assert!(budget.reply <= model.output_cap.unwrap_or(u32::MAX));
    prop_assert_eq!(u64::from(budget.target), u64::from(budget.prompt) * 3 / 4);
    if budget.prompt > 0 && budget.window - budget.reply <= model.input_cap.unwrap_or(u32::MAX) {
        prop_assert_eq!(sum + u64::from(budget.margin), u64::from(budget.window));
    }
    if budget.window >= 1_024 && model.input_cap.is_none() {
        prop_assert!(budget.prompt > 0);
    }
    Ok(())
}

proptest! {
    #[test]
    fn prompt_and_reply_fit_the_window(
        model in any_model(),
        requested in any::<Option<u32>>(),
        max_tokens in any::<u32>(),
        reply_tokens in any::<u32>(),
        reply_tokens_max in any::<u32>(),
    ) {
        let operator = WebChatLimits { max_tokens, reply_tokens, reply_tokens_max };
        let web_chat = Budget::for_web_chat(&model, &operator, requested);
        check(&web_chat, &model)?;
        prop_assert!(web_chat.window <= max_tokens);
        check(&Budget::for_model(&model, requested), &model)?;
    }
}
