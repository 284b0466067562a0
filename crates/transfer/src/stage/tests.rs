use chat_core::{
    id::{MessageId, UserId},
    message::{PartContent, Role},
};

use super::*;
use crate::{
    Event,
    line::{SessionLine, ThreadViewLine, UserLine},
    map::{body, text_part},
};

fn place(line: u64) -> Place {
    Place {
        input: "in.json".into(),
        line,
    }
}

fn message(id: u128, conversation: u128, at_ms: i64) -> MessageLine {
    MessageLine {
        id: MessageId::new(Uuid::from_u128(id)),
        conversation: ConversationId::new(Uuid::from_u128(conversation)),
        seq: 0,
        role: Role::User,
        created_at_ms: at_ms,
        alias: None,
        rating: None,
        body: body([text_part(format!("text {id}"))], at_ms),
    }
}

fn user(id: u128, email: &str) -> Line {
    Line::User(UserLine {
        id: UserId::new(Uuid::from_u128(id)),
        email: email.to_owned(),
        email_key: records::email_key(email),
        kind: "regular".to_owned(),
        created_at_ms: 0,
        password: None,
    })
}

/// Stages, and gives what comes out with the findings.
fn staged(memory: usize, fill: impl FnOnce(&mut Stage<'_>)) -> (Vec<StagedLine>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(dir.path(), memory);
    fill(&mut stage);
    let mut findings = Vec::new();
    let mut on_event = |event: Event<'_>| {
        if let Event::Found(finding) = event {
            findings.push(finding.to_string());
        }
    };
    let mut log = Log::new(&mut on_event, false);
    let mut placed = stage.finish(&mut log).unwrap();
    let mut lines = Vec::new();
    while let Some(line) = placed.next().unwrap() {
        lines.push(line);
    }
    (lines, findings)
}

/// Conversation, place and id of each message.
fn messages(lines: &[StagedLine]) -> Vec<(u128, u64, u128)> {
    lines
        .iter()
        .filter_map(|staged| {
            let Line::Message(message) = &staged.line else {
                return None;
            };
            Some((
                message.conversation.uuid().as_u128(),
                message.seq,
                message.id.uuid().as_u128(),
            ))
        })
        .collect()
}

#[test]
fn messages_of_a_conversation_come_together_and_in_order_however_they_lay() {
    for memory in [8_000, usize::MAX] {
        let (lines, findings) = staged(memory, |stage| {
            for n in (0..600_u128).rev() {
                let message = message(n, n % 3, i64::try_from(n / 6).unwrap());
                stage.push_message(&place(1), message, n).unwrap().unwrap();
            }
        });
        let expected: Vec<(u128, u64, u128)> = (0..3)
            .flat_map(|conversation| {
                (1..=200)
                    .map(move |seq| (conversation, seq, u128::from(seq - 1) * 3 + conversation))
            })
            .collect();
        assert_eq!(messages(&lines), expected);
        assert!(findings.is_empty());
    }
}

#[test]
fn messages_of_one_second_are_turned_round_where_the_source_is_newest_first() {
    let times = [(10, 3), (11, 3), (12, 2), (13, 2), (14, 2), (15, 1)];
    let run = |direction: i64| {
        staged(usize::MAX, |stage| {
            for (tie, (id, at_ms)) in (0..).zip(times) {
                let message = message(id, 7, at_ms);
                stage
                    .push_message(&place(1), message, tie)
                    .unwrap()
                    .unwrap();
            }
            let conversation = ConversationId::new(Uuid::from_u128(7));
            stage.push_direction(conversation, direction).unwrap();
            // Another conversation is not touched by it.
            for id in [20, 21] {
                let message = message(id, 8, 5);
                stage.push_message(&place(1), message, id).unwrap().unwrap();
            }
        })
        .0
    };
    let ids = |lines: &[StagedLine]| -> Vec<u128> {
        messages(lines).into_iter().map(|(_, _, id)| id).collect()
    };
    assert_eq!(ids(&run(-3)), [15, 14, 13, 12, 11, 10, 20, 21]);
    assert_eq!(ids(&run(0)), [15, 12, 13, 14, 10, 11, 20, 21]);
    let places: Vec<u64> = messages(&run(-3)).iter().map(|(_, seq, _)| *seq).collect();
    assert_eq!(places, [1, 2, 3, 4, 5, 6, 1, 2]);
}

#[test]
fn the_second_of_two_lines_with_one_id_is_faulty_and_dropped() {
    let (lines, findings) = staged(usize::MAX, |stage| {
        for (line, conversation) in [(1, 7), (2, 8), (3, 7)] {
            let message = message(1, conversation, 0);
            stage
                .push_message(&place(line), message, u128::from(line))
                .unwrap()
                .unwrap();
        }
    });
    assert_eq!(messages(&lines), [(7, 1, 1)]);
    let id = Uuid::from_u128(1);
    assert_eq!(
        findings,
        [
            format!("in.json:2: faulty: message {id} stands twice: first at in.json:1"),
            format!("in.json:3: faulty: message {id} stands twice: first at in.json:1"),
        ]
    );
}

#[test]
fn addresses_that_differ_in_case_are_kept_apart_and_equal_ones_are_faulty() {
    let (lines, findings) = staged(usize::MAX, |stage| {
        for (line, email) in [
            (1, "a@example.com"),
            (2, "A@example.com"),
            (3, "a@example.com "),
            (4, "b@example.com"),
        ] {
            stage
                .push(&place(line), &user(line.into(), email))
                .unwrap()
                .unwrap();
        }
    });
    let kept: Vec<(u64, bool)> = lines
        .iter()
        .map(|line| (line.place.line, line.exact_email))
        .collect();
    assert_eq!(kept, [(1, false), (2, true), (4, false)]);
    assert_eq!(findings.len(), 2);
    assert!(
        findings[0].starts_with("in.json:2: changed"),
        "{findings:?}"
    );
    assert!(findings[1].starts_with("in.json:3: faulty"), "{findings:?}");
}

#[test]
fn a_message_of_twenty_megabytes_is_refused_with_its_size() {
    let (lines, _) = staged(usize::MAX, |stage| {
        let mut large = message(1, 1, 0);
        large.body = body([text_part("x".repeat(20_000_000))], 0);
        assert_eq!(
            stage.push_message(&place(1), large, 0).unwrap(),
            Err("a message of 20.0 MB; at most 8 MiB is accepted".to_owned())
        );
    });
    assert!(lines.is_empty());
}

#[test]
fn every_field_of_a_line_has_a_limit() {
    let long = || "x".repeat(1025);
    let long_user = |change: fn(&mut UserLine, String)| {
        let Line::User(mut line) = user(1, "a@example.com") else {
            unreachable!()
        };
        change(&mut line, long());
        Line::User(line)
    };
    let long_message = |change: fn(&mut MessageLine, String)| {
        let mut line = message(1, 1, 0);
        change(&mut line, long());
        Line::Message(Box::new(line))
    };
    let view = ThreadViewLine {
        user: long(),
        thread: "thread_1".to_owned(),
        name: String::new(),
        is_group: false,
        created_at_ms: 0,
        updated_at_ms: 0,
    };
    let session = SessionLine {
        id: Uuid::from_u128(1),
        user: UserId::new(Uuid::from_u128(1)),
        token: long(),
        created_at_ms: 0,
        expires_at_ms: 0,
    };
    for (line, field) in [
        (long_user(|line, long| line.email = long), "email"),
        (long_user(|line, long| line.email_key = long), "email_key"),
        (
            long_user(|line, long| line.password = Some(long)),
            "password",
        ),
        (long_message(|line, long| line.alias = Some(long)), "alias"),
        (
            long_message(|line, long| line.body.model = Some(long)),
            "model",
        ),
        (
            long_message(|line, long| line.body.parts[0].alias = Some(long)),
            "alias of a part",
        ),
        (Line::ThreadView(view), "user"),
        (Line::Session(session), "token"),
    ] {
        let (lines, _) = staged(usize::MAX, |stage| {
            assert_eq!(
                stage.push(&place(1), &line).unwrap(),
                Err(format!("{field} of 1025 bytes; at most 1 KiB is accepted"))
            );
        });
        assert!(lines.is_empty());
    }
}

#[test]
fn what_surrounds_a_text_counts_but_not_how_it_is_escaped() {
    let source = |bytes: usize| PartContent::Source {
        url: "https://example.com".to_owned(),
        title: Some("x".repeat(bytes)),
    };
    let largest = text_part("\u{1}".repeat(8 * 1024 * 1024));
    for (content, outcome) in [
        (
            source(17_000_000),
            Err("a record of 17.0 MB; at most 9 MiB with everything is accepted".to_owned()),
        ),
        (largest, Ok(())),
    ] {
        staged(usize::MAX, |stage| {
            let mut line = message(1, 1, 0);
            line.body = body([content], 0);
            assert_eq!(stage.push_message(&place(1), line, 0).unwrap(), outcome);
        });
    }
}
