use super::*;

#[tokio::test]
async fn a_rewriting_is_a_new_version_made_of_the_old_one_and_the_wish() {
    let bench = Bench::new();
    bench.put(1, DocumentKind::Code, "print(1)").await;
    let answer = Answer::new(ScriptedModel::new([said(&["print(2)"])]));
    let arguments = json!({"id": ID.0, "description": "count on"});
    let output = output(
        answer
            .call(bench.tool(names::UPDATE_DOCUMENT), &arguments)
            .await,
    );
    assert_eq!(
        (&output["title"], &output["kind"]),
        (&json!("Old"), &json!("code"))
    );
    let contents: Vec<String> = bench
        .versions(ID)
        .await
        .into_iter()
        .map(|one| one.content)
        .collect();
    assert_eq!(contents, ["print(1)", "print(2)"]);
    assert_eq!(answer.told.all()[0], opened(ID, "code", "Old", false));
    let PromptItem::User { text, .. } = &answer.model.requests()[0].items[1] else {
        panic!("the material comes after the instructions");
    };
    assert!(
        text.contains("count on") && text.contains("print(1)"),
        "{text}"
    );
}

#[tokio::test]
async fn a_rewriting_that_fails_gives_the_page_back_what_stands() {
    let cut = vec![
        Line::text("Other"),
        Line::Say(ModelEventKind::Finished(FinishReason::Length)),
    ];
    let broken = vec![Line::text("Other"), Line::Fail(ModelErrorKind::Timeout)];
    for script in [cut, broken] {
        let bench = Bench::new();
        bench.put(1, DocumentKind::Text, "What stands").await;
        let answer = Answer::new(ScriptedModel::new([script]));
        let arguments = json!({"id": ID.0, "description": "longer"});
        failure(
            answer
                .call(bench.tool(names::UPDATE_DOCUMENT), &arguments)
                .await,
        );
        assert_eq!(bench.versions(ID).await.len(), 1);
        let told = answer.told.all();
        assert_eq!(shown(&told), "What stands");
        assert_eq!(told.last(), Some(&finish()));
    }
}

#[tokio::test]
async fn a_document_that_does_not_fit_the_model_is_not_touched() {
    let bench = Bench::new();
    bench
        .put(1, DocumentKind::Text, &"word ".repeat(10_000))
        .await;
    let answer = Answer::new(ScriptedModel::default());
    for (name, arguments) in [
        (
            names::UPDATE_DOCUMENT,
            json!({"id": ID.0, "description": "x"}),
        ),
        (names::REQUEST_SUGGESTIONS, json!({"documentId": ID.0})),
    ] {
        let output = output(answer.call(bench.tool(name), &arguments).await);
        assert!(
            output["error"].as_str().unwrap().contains("too long"),
            "{output}"
        );
    }
    assert!(answer.told.all().is_empty());
    assert!(answer.model.requests().is_empty());
}

#[tokio::test]
async fn anothers_document_and_one_that_is_not_there_are_told_alike() {
    let bench = Bench::new();
    bench.put(2, DocumentKind::Text, "Mine.").await;
    let answer = Answer::new(ScriptedModel::new([said(&["x"])]));
    let missing = Uuid::from_u128(99);
    for id in [
        json!(ID.0),
        json!(missing),
        json!("not an id"),
        json!(ID.0.simple().to_string()),
    ] {
        for (name, arguments) in [
            (
                names::UPDATE_DOCUMENT,
                json!({"id": id, "description": "x"}),
            ),
            (
                names::EDIT_DOCUMENT,
                json!({"id": id, "old_string": "Mine", "new_string": "Yours"}),
            ),
            (names::REQUEST_SUGGESTIONS, json!({"documentId": id})),
        ] {
            let result = answer.call(bench.tool(name), &arguments).await;
            assert_eq!(
                output(result),
                json!({"error": "Document not found"}),
                "{name} {id}"
            );
        }
    }
    assert!(answer.told.all().is_empty());
    assert!(answer.model.requests().is_empty());
    assert_eq!(bench.versions(ID).await.len(), 1);
}

#[tokio::test]
async fn an_edit_is_stored_before_it_is_shown_whole() {
    let bench = Bench::new();
    bench.put(1, DocumentKind::Sheet, "a,a\na,b").await;
    for (all, expected) in [(false, "x,a\na,b"), (true, "x,x\nx,b")] {
        let answer = Answer::new(ScriptedModel::default());
        let arguments =
            json!({"id": ID.0, "old_string": "a", "new_string": "x", "replace_all": all});
        output(
            answer
                .call(bench.tool(names::EDIT_DOCUMENT), &arguments)
                .await,
        );
        let versions = bench.versions(ID).await;
        let newest = versions.last().unwrap();
        assert_eq!(newest.content, expected);
        assert_eq!(
            answer.told.all(),
            [
                opened(ID, "sheet", "Old", false),
                ToolEvent::DocumentDelta {
                    document: ID.0.to_string(),
                    text: expected.to_owned()
                },
                ToolEvent::DocumentStored {
                    document: ID.0.to_string(),
                    version_at_ms: newest.created_at_ms
                },
            ]
        );
    }
    assert_eq!(bench.versions(ID).await.len(), 3);
}

#[tokio::test]
async fn an_edit_that_cannot_be_made_changes_nothing() {
    let bench = Bench::new();
    bench.put(1, DocumentKind::Text, &"a".repeat(2_000)).await;
    let answer = Answer::new(ScriptedModel::default());
    for (old, new, expected) in [
        (
            "b",
            "c",
            "The text to replace does not stand in the document.",
        ),
        (
            "",
            "c",
            "The text to replace does not stand in the document.",
        ),
        (
            "a",
            &"x".repeat(2_000),
            "The document would grow longer than it may.",
        ),
    ] {
        let arguments =
            json!({"id": ID.0, "old_string": old, "new_string": new, "replace_all": true});
        let result = answer
            .call(bench.tool(names::EDIT_DOCUMENT), &arguments)
            .await;
        assert_eq!(output(result), json!({"error": expected}));
    }
    assert_eq!(bench.versions(ID).await.len(), 1);
    assert!(answer.told.all().is_empty());
}
