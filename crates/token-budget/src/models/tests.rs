use super::*;

fn find(name: &str) -> ModelLimits {
    ModelTable::builtin().find(name)
}

#[test]
fn windows_and_encodings_are_those_of_the_models() {
    for (name, window, encoding) in [
        ("gpt-4o", 128_000, Encoding::O200kBase),
        ("gpt-4o-mini", 128_000, Encoding::O200kBase),
        ("chatgpt-4o-latest", 128_000, Encoding::O200kBase),
        ("gpt-4-turbo", 128_000, Encoding::Cl100kBase),
        ("gpt-4-0125-preview", 128_000, Encoding::Cl100kBase),
        ("gpt-4.5-preview", 128_000, Encoding::O200kBase),
        ("o1-mini", 128_000, Encoding::O200kBase),
        ("gpt-4", 8_192, Encoding::Cl100kBase),
        ("gpt-4-0613", 8_192, Encoding::Cl100kBase),
        ("gpt-4-32k", 32_768, Encoding::Cl100kBase),
        ("gpt-3.5-turbo", 16_385, Encoding::Cl100kBase),
        ("gpt-35-turbo-16k", 16_385, Encoding::Cl100kBase),
        ("gpt-4.1", 1_047_576, Encoding::O200kBase),
        ("gpt-4.1-nano", 1_047_576, Encoding::O200kBase),
        ("o1", 200_000, Encoding::O200kBase),
        ("o3", 200_000, Encoding::O200kBase),
        ("o3-mini", 200_000, Encoding::O200kBase),
        ("o4-mini-2025-04-16", 200_000, Encoding::O200kBase),
        ("gpt-5", 400_000, Encoding::O200kBase),
        ("gpt-5.1-codex", 400_000, Encoding::O200kBase),
        ("gpt-oss-120b", 131_072, Encoding::O200kBase),
        ("text-embedding-3-small", 8_192, Encoding::Cl100kBase),
        ("text-embedding-ada-002", 8_192, Encoding::Cl100kBase),
    ] {
        let limits = find(name);
        assert_eq!(
            (limits.window, limits.encoding),
            (window, encoding),
            "{name}"
        );
        assert!(limits.known && !limits.encoding_is_guess, "{name}");
    }
}

#[test]
fn models_without_a_public_encoding_are_guessed() {
    for (name, window) in [
        ("grok-3-mini", 131_072),
        ("grok-4-0709", 256_000),
        ("grok-code-fast-1", 256_000),
        ("grok-4-fast-reasoning", 2_000_000),
        ("grok-4.1-fast-non-reasoning", 2_000_000),
        ("grok-4.20", 2_000_000),
        ("llama-3.3-70b-instruct", 128_000),
        ("mistral-large-2411", 128_000),
    ] {
        assert_eq!(find(name), ModelLimits::guessed(window), "{name}");
    }
}

#[test]
fn caps_are_those_of_the_models() {
    assert_eq!(find("gpt-5-mini").input_cap, Some(272_000));
    assert_eq!(find("gpt-5-mini").output_cap, Some(128_000));
    assert_eq!(find("o3").output_cap, Some(100_000));
    assert_eq!(find("gpt-4o").input_cap, None);
}

#[test]
fn an_unknown_model_has_the_documented_default() {
    for name in ["deepseek-chat", "my-deployment", "", "/", "openai/"] {
        let limits = find(name);
        assert_eq!(limits, ModelLimits::unknown(), "{name:?}");
        assert_eq!(limits.window, 128_000);
        assert_eq!(limits.encoding, Encoding::O200kBase);
        assert!(limits.encoding_is_guess && !limits.known);
    }
}

#[test]
fn a_provider_before_the_name_is_passed_over() {
    assert_eq!(find("openai/gpt-4.1-mini"), find("gpt-4.1-mini"));
    assert_eq!(
        find("xai/grok-4.1-fast-non-reasoning"),
        find("grok-4.1-fast-non-reasoning")
    );
    assert_eq!(
        find("accounts/fireworks/models/gpt-oss-20b"),
        find("gpt-oss-20b")
    );
    // The provider's own name is no model.
    assert_eq!(find("o1-labs/some-model"), ModelLimits::unknown());
}

#[test]
fn case_spaces_and_fine_tuning_make_no_difference() {
    assert_eq!(
        find(" Meta-Llama-3.1-8B-Instruct "),
        find("meta-llama-3.1-8b-instruct")
    );
    assert!(find("Meta-Llama-3.1-8B-Instruct").known);
    assert_eq!(
        find("ft:gpt-4o-mini-2024-07-18:acme::7qTVM5AR"),
        find("gpt-4o-mini")
    );
}

#[test]
fn the_exact_name_wins_then_the_longest_prefix() {
    let table = ModelTable::empty()
        .with_override("m", ModelLimits::guessed(1))
        .with_override("m-long", ModelLimits::guessed(2))
        .with_override("m-long-name", ModelLimits::guessed(3));
    for (name, window) in [
        ("m", 1),
        ("m-l", 1),
        ("m-long", 2),
        ("m-long-nam", 2),
        ("m-long-name-2", 3),
    ] {
        assert_eq!(table.find(name).window, window, "{name}");
    }
    assert_eq!(table.find("another").window, DEFAULT_WINDOW);
}

#[test]
fn an_override_replaces_an_entry_and_leaves_the_others() {
    let table = ModelTable::builtin().with_override("GPT-4o", ModelLimits::guessed(5_000));
    assert_eq!(table.find("gpt-4o-mini"), ModelLimits::guessed(5_000));
    assert_eq!(table.find("gpt-4.1"), find("gpt-4.1"));
}

#[test]
fn an_override_with_a_provider_binds_that_provider_alone() {
    let table = ModelTable::builtin()
        .with_override("tiny/gpt-4o", ModelLimits::guessed(7_000))
        .with_override("local/", ModelLimits::guessed(9_000));
    assert_eq!(table.find("tiny/gpt-4o").window, 7_000);
    assert_eq!(table.find("openai/gpt-4o").window, 128_000);
    assert_eq!(table.find("local/whatever").window, 9_000);
    assert_eq!(table.find("gpt-4o").window, 128_000);
}

#[test]
fn builtin_names_are_lower_case_and_unique() {
    assert_eq!(ModelTable::builtin().entries.len(), builtin::ENTRIES.len());
    for (name, _) in builtin::ENTRIES {
        assert_eq!(*name, normalized(name));
    }
}
