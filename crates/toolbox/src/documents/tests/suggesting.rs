use super::*;

#[tokio::test]
async fn suggestions_are_told_one_by_one_and_stored_with_the_newest_version() {
    let bench = Bench::new();
    bench
        .put(1, DocumentKind::Text, "One is bad. Two is bad.")
        .await;
    let many: Vec<String> = (0..9)
        .map(|n| format!(r#"{{"original":"Two is bad.","suggested":"Two {n}."}}"#))
        .collect();
    let script = said(&[
        r#"[{"original":"One is"#,
        r#" bad.","suggested":"One is good.","description":"kinder"},"#,
        r#"{"original":"Three.","suggested":"Not in the document."},"#,
        r#"{"original":"Two is bad.","suggested":"Two is bad."},"#,
        &many.join(","),
    ]);
    let answer = Answer::new(ScriptedModel::new([script]));
    let arguments = json!({"documentId": ID.0});
    let output = output(
        answer
            .call(bench.tool(names::REQUEST_SUGGESTIONS), &arguments)
            .await,
    );
    assert_eq!(output["id"], json!(ID.0));
    assert!(output["message"].is_string() && output.get("content").is_none());

    let stored = bench.store.list_suggestions(ID).await.unwrap();
    let pairs: Vec<(&str, &str)> = stored
        .iter()
        .map(|one| (one.original.as_str(), one.suggested.as_str()))
        .collect();
    assert_eq!(
        pairs,
        [("One is bad.", "One is good."), ("Two is bad.", "Two 0.")]
    );
    assert!(
        stored
            .iter()
            .all(|one| one.version_at_ms == 500 && !one.resolved)
    );
    let told = answer.told.all();
    assert_eq!(told.len(), 2);
    assert_eq!(
        told[0],
        ToolEvent::SuggestionMade {
            document: ID.0.to_string(),
            suggestion: stored[0].id.to_string(),
            original: "One is bad.".to_owned(),
            suggested: "One is good.".to_owned(),
            description: Some("kinder".to_owned()),
        }
    );
}

#[tokio::test]
async fn at_most_five_suggestions_are_made_and_the_model_is_hung_up_on() {
    let bench = Bench::new();
    bench.put(1, DocumentKind::Text, "0 1 2 3 4 5 6 7").await;
    let mut script: Vec<Line> = (0..8)
        .map(|n| Line::text(&format!(r#"{{"original":"{n}","suggested":"x{n}"}}"#)))
        .collect();
    script.push(Line::Hang);
    let answer = Answer::new(ScriptedModel::new([script]));
    let arguments = json!({"documentId": ID.0});
    output(
        answer
            .call(bench.tool(names::REQUEST_SUGGESTIONS), &arguments)
            .await,
    );
    assert_eq!(bench.store.list_suggestions(ID).await.unwrap().len(), 5);
    assert_eq!(answer.model.open_answers(), 0);
}

#[tokio::test]
async fn an_empty_document_gets_no_suggestions_and_chatter_is_none() {
    let bench = Bench::new();
    bench.put(1, DocumentKind::Text, " ").await;
    let answer = Answer::new(ScriptedModel::new([said(&["It is fine."])]));
    let arguments = json!({"documentId": ID.0});
    let result = answer
        .call(bench.tool(names::REQUEST_SUGGESTIONS), &arguments)
        .await;
    assert_eq!(output(result), json!({"error": "The document is empty."}));

    let bench = Bench::new();
    bench.put(1, DocumentKind::Text, "Some text.").await;
    let result = answer
        .call(bench.tool(names::REQUEST_SUGGESTIONS), &arguments)
        .await;
    assert!(failure(result).contains("no suggestions"));
}
