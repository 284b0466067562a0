use super::*;

fn rules(aliases: &str) -> ModelRules {
    ModelRules {
        named: Some("gpt-4o-mini".to_owned()),
        system: Some("Be brief.".to_owned()),
        aliases: Aliases::parse(aliases).unwrap(),
        tools: ToolsConfig {
            offered: names::ALL.map(str::to_owned).to_vec(),
            consent: vec![names::GET_WEATHER.to_owned()],
            title_model: Some("small".to_owned()),
            ..ToolsConfig::default()
        },
        ..ModelRules::default()
    }
}

fn listed() -> Vec<String> {
    ["gpt-4o-mini", "deepseek-r1", "openai/gpt-5.2"]
        .map(str::to_owned)
        .to_vec()
}

fn model(rules: &ModelRules, asked: Option<&str>) -> String {
    rules.choose(asked, "gpt-4o-mini", &listed()).0
}

#[test]
fn a_known_name_is_the_model_and_any_other_the_default() {
    let rules = rules(r#"{"fast": {"model": "tiny"}, "plain": {}}"#);
    for (asked, expected) in [
        (None, "gpt-4o-mini"),
        (Some("deepseek-r1"), "deepseek-r1"),
        (Some("fast"), "tiny"),
        (Some("plain"), "gpt-4o-mini"),
        (Some("chat-model"), "gpt-4o-mini"),
        // A name of the template's that the upstream has is the upstream's.
        (Some("openai/gpt-5.2"), "openai/gpt-5.2"),
        (Some("openai/gpt-4.1-mini"), "gpt-4o-mini"),
        (Some("unheard-of"), "gpt-4o-mini"),
        (Some(""), "gpt-4o-mini"),
    ] {
        assert_eq!(model(&rules, asked), expected, "{asked:?}");
    }
}

#[test]
fn tools_follow_the_alias_and_else_the_model() {
    let rules = rules(
        r#"{"bare": {"tools": false}, "deepseek-r1": {"tools": true}, "r1": {"model": "deepseek-r1"}, "o1-mini": {"model": "gpt-4o-mini"}}"#,
    );
    for (asked, tools) in [
        (None, true),
        (Some("chat-model"), true),
        (Some("chat-model-reasoning"), false),
        (Some("bare"), false),
        // What the operator says of a model holds for the names that stand for it.
        (Some("deepseek-r1"), true),
        (Some("r1"), true),
        (Some("o1-mini"), true),
    ] {
        let (model, capabilities) = rules.choose(asked, "gpt-4o-mini", &listed());
        let settings = rules.settings(model, capabilities, &Origin::default());
        assert_eq!(!settings.tools.is_empty(), tools, "{asked:?}");
        assert_eq!(!settings.consent.is_empty(), tools, "{asked:?}");
        let system = settings.system.unwrap();
        assert_eq!(
            system.contains("createDocument"),
            tools,
            "{asked:?}: {system}"
        );
    }
}

#[test]
fn what_differs_from_request_to_request_ends_the_system_prompt() {
    let rules = rules("{}");
    let capabilities = Capabilities::of("gpt-4o-mini");
    let origin = Origin {
        city: Some("Graz".to_owned()),
        ..Origin::default()
    };
    let settings = rules.settings("gpt-4o-mini".to_owned(), capabilities, &origin);
    let system = settings.system.unwrap();
    assert!(system.starts_with("Be brief.\n\n"), "{system}");
    assert!(system.ends_with("- city: Graz"), "{system}");
    let silent = ModelRules::default();
    let settings = silent.settings("m".to_owned(), capabilities, &Origin::default());
    assert_eq!(settings.system, None);
}

#[test]
fn the_models_of_the_roles_may_be_named_by_aliases() {
    let rules = rules(r#"{"small": {"model": "gpt-4.1-nano"}}"#);
    let capabilities = Capabilities::of("gpt-4o-mini");
    let settings = rules.settings("gpt-4o-mini".to_owned(), capabilities, &Origin::default());
    assert_eq!(settings.title_model.as_deref(), Some("gpt-4.1-nano"));
    assert_eq!(settings.artifact_model, None);
}

#[test]
fn every_name_is_told_once_the_default_first_and_the_template_s_last() {
    let rules = rules(
        r#"{"fast": {"model": "tiny", "name": "Fast", "description": "Quick."}, "chat-model": {"vision": false}}"#,
    );
    let known = rules.known("gpt-4o-mini", &listed());
    let ids: Vec<&str> = known.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(
        ids[..5],
        [
            "gpt-4o-mini",
            "chat-model",
            "fast",
            "deepseek-r1",
            "openai/gpt-5.2"
        ]
    );
    assert_eq!(ids.len(), 5 + 14);
    let of = |id: &str| known.iter().find(|model| model.id == id).unwrap();
    assert_eq!(
        (of("fast").name.as_str(), of("fast").description.as_str()),
        ("Fast", "Quick.")
    );
    assert!(!of("chat-model").capabilities.vision && of("chat-model").is_choice);
    // The others can do what the default model can.
    let kimi = of("moonshotai/kimi-k2.5");
    assert_eq!(kimi.capabilities, Capabilities::of("gpt-4o-mini"));
    assert!(!kimi.is_choice);
    assert!(!of("chat-model-reasoning").capabilities.tools);
    assert_eq!(of("openai/gpt-5.2").name, "gpt-5.2");
}

#[test]
fn very_many_models_are_told_in_part_and_all_may_be_asked_for() {
    let rules = rules("{}");
    let many: Vec<String> = (0..2 * MOST_TOLD).map(|n| format!("m{n}")).collect();
    let last = many.last().unwrap().clone();
    assert!(rules.known("m0", &many).len() < MOST_TOLD + 20);
    assert_eq!(rules.choose(Some(&last), "m0", &many).0, last);
}
