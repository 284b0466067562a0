use chat_core::run;

use super::{Chunk, Usage};

fn usage(json: &str) -> run::Usage {
    serde_json::from_str::<Usage>(json).unwrap().into()
}

#[test]
fn borrows_text_without_escapes() {
    let json = r#"{"choices":[{"delta":{"content":"plain"}},{"delta":{"content":"a\nb"}}]}"#;
    let choices = serde_json::from_str::<Chunk<'_>>(json)
        .unwrap()
        .choices
        .unwrap();
    let content = |at: usize| choices[at].delta.as_ref().unwrap().content.0.clone();
    assert!(matches!(content(0), std::borrow::Cow::Borrowed("plain")));
    assert_eq!(content(1), "a\nb");
}

#[test]
fn takes_other_types_for_absent_and_lists_for_their_text() {
    let json = r#"{"id":7,"model":null,"usage":{"prompt_tokens":null,"completion_tokens":-1},"choices":[
        {"index":"0","finish_reason":false,"delta":{"content":[{"type":"text","text":"a"},
         {"type":"thinking","thinking":[{"type":"text","text":"no"}]},"b"],"reasoning":{"effort":1}}}]}"#;
    let chunk = serde_json::from_str::<Chunk<'_>>(json).unwrap();
    assert_eq!(chunk.id.0, "");
    assert_eq!(
        run::Usage::from(chunk.usage.unwrap()),
        run::Usage::default()
    );
    let choice = &chunk.choices.as_ref().unwrap()[0];
    assert_eq!(choice.finish_reason.0, "");
    let delta = choice.delta.as_ref().unwrap();
    assert_eq!((&*delta.content.0, &*delta.reasoning.0), ("ab", ""));
}

#[test]
fn reads_the_details_of_usage() {
    let read = usage(
        r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,
            "prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},
            "completion_tokens_details":{"reasoning_tokens":3}}"#,
    );
    let expected = run::Usage {
        input: 10,
        cached_input: 4,
        output: 5,
        reasoning: 3,
        estimated: false,
    };
    assert_eq!(read, expected);
    assert_eq!(
        usage(r#"{"prompt_tokens":10,"prompt_cache_hit_tokens":8}"#).cached_input,
        8
    );
    assert_eq!(
        usage(r#"{"prompt_tokens_details":null}"#),
        run::Usage::default()
    );
}

#[test]
fn adds_reasoning_that_is_counted_beside_the_completion() {
    let read = usage(
        r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,
            "completion_tokens_details":{"reasoning_tokens":100}}"#,
    );
    assert_eq!((read.output, read.reasoning), (105, 100));
}
