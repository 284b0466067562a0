use proptest::prelude::*;

use super::*;
use crate::{Budget, Encoding, ModelLimits, prompt_cost};

fn user(cost: u32) -> Item {
    Item {
        cost,
        is_user: true,
    }
}

fn answer(cost: u32) -> Item {
    Item {
        cost,
        is_user: false,
    }
}

fn starts_at(budget: u32, live: &[Item]) -> usize {
    let turn = Turn {
        pinned: 0,
        live,
        new: 10,
    };
    whole_budget(budget, &turn).unwrap().start
}

#[test]
fn keeps_everything_that_fits_exactly_and_drops_a_turn_for_one_token_more() {
    let live = [user(10), answer(20), user(30), answer(40)];
    assert_eq!(starts_at(3 + 100 + 10, &live), 0);
    assert_eq!(starts_at(3 + 100 + 10 - 1, &live), 2);
    assert_eq!(starts_at(3 + 70 + 10, &live), 2);
    assert_eq!(starts_at(3 + 70 + 10 - 1, &live), 4);
}

#[test]
fn never_begins_with_an_answer_or_a_tool_result() {
    let live = [
        user(50),
        answer(1),
        answer(1),
        answer(1),
        user(5),
        answer(5),
    ];
    assert_eq!(starts_at(3 + 10 + 10 + 3, &live), 4);
    assert_eq!(starts_at(3 + 10 + 9, &live), 6);
    assert_eq!(starts_at(1_000, &[answer(5), user(5), answer(5)]), 1);
    assert_eq!(starts_at(1_000, &[answer(5), answer(5)]), 2);
}

#[test]
fn an_empty_history_costs_pinned_and_new_alone() {
    let turn = Turn {
        pinned: 40,
        live: &[],
        new: 7,
    };
    let expected = Fit {
        start: 0,
        kept: 0,
        live: 0,
        prompt: 50,
    };
    assert_eq!(whole_budget(50, &turn), Ok(expected));
}

#[test]
fn a_message_that_cannot_fit_is_told_how_much_could() {
    let turn = Turn {
        pinned: 40,
        live: &[user(1)],
        new: 60,
    };
    let error = whole_budget(102, &turn).unwrap_err();
    assert_eq!(
        error,
        TooLong {
            allowed: 102 - 43 - 4,
            needed: 56
        }
    );
    assert_eq!(
        error.to_string(),
        "the message is too long: 56 tokens, at most 55 fit"
    );
    assert_eq!(whole_budget(103, &turn).map(|fit| fit.prompt), Ok(103));
}

#[test]
fn pinned_messages_that_fill_the_prompt_allow_nothing() {
    let turn = Turn {
        pinned: 200,
        live: &[],
        new: 5,
    };
    assert_eq!(whole_budget(100, &turn).unwrap_err().allowed, 0);
}

#[test]
fn the_last_n_include_the_new_message() {
    let live = [user(1), answer(1), user(1), answer(1), user(1), answer(1)];
    let turn = Turn {
        pinned: 0,
        live: &live,
        new: 1,
    };
    for (n, start) in [
        (0, 6),
        (1, 6),
        (2, 6),
        (3, 4),
        (4, 4),
        (5, 2),
        (7, 0),
        (usize::MAX, 0),
    ] {
        assert_eq!(last_n(n, 1_000, &turn).unwrap().start, start, "{n}");
    }
}

#[test]
fn the_last_n_keep_to_the_budget_too() {
    let live = [user(10), answer(10), user(10), answer(10)];
    let turn = Turn {
        pinned: 0,
        live: &live,
        new: 10,
    };
    assert_eq!(last_n(5, 3 + 30, &turn).unwrap().start, 2);
    assert!(last_n(5, 3 + 9, &turn).is_err());
}

#[test]
fn costs_that_overflow_are_too_long_or_left_out() {
    let live = [user(u32::MAX), answer(u32::MAX)];
    let turn = Turn {
        pinned: 0,
        live: &live,
        new: 1,
    };
    assert_eq!(whole_budget(u32::MAX, &turn).unwrap().start, 2);
    let turn = Turn {
        pinned: u32::MAX,
        live: &live,
        new: u32::MAX,
    };
    assert!(whole_budget(u32::MAX, &turn).is_err());
}

fn history() -> impl Strategy<Value = Vec<Item>> {
    let item = (4_u32..900, any::<bool>()).prop_map(|(cost, is_user)| Item { cost, is_user });
    prop::collection::vec(item, 0..80)
}

/// The definition, tried one start after the other.
fn by_trial(n: usize, budget: u32, pinned: &[u32], live: &[Item], new: u32) -> Option<usize> {
    (0..=live.len()).find(|start| {
        let kept = &live[*start..];
        let costs = kept.iter().map(|item| item.cost);
        let prompt = prompt_cost(pinned.iter().copied().chain(costs).chain([new]));
        prompt <= budget && kept.first().is_none_or(|item| item.is_user) && kept.len() < n.max(1)
    })
}

proptest! {
    // B1 to B4 and B8 of the token budget's invariants: pinned and new are always part of the total,
    // the kept are a suffix that begins with a user message, the total and the reply fit the window.
    #[test]
    fn what_is_kept_is_the_longest_end_that_fits(
        window in 1_024_u32..40_000,
        requested in any::<Option<u32>>(),
        guess in any::<bool>(),
        n in prop_oneof![0_usize..100, Just(usize::MAX)],
        pinned in prop::collection::vec(4_u32..300, 0..6),
        live in history(),
        new in 4_u32..3_000,
    ) {
        let mut model = ModelLimits::new(window, Encoding::O200kBase);
        model.encoding_is_guess = guess;
        let budget = Budget::for_model(&model, requested);
        let turn = Turn { pinned: pinned.iter().sum(), live: &live, new };
        let fit = last_n(n, budget.prompt, &turn);
        prop_assert_eq!(fit, last_n(n, budget.prompt, &turn));
        prop_assert_eq!(
            fit.ok().map(|fit| fit.start),
            by_trial(n, budget.prompt, &pinned, &live, new)
        );
        match fit {
            Ok(fit) => {
                prop_assert!(fit.prompt + budget.reply <= window);
                prop_assert_eq!(fit.kept, live.len() - fit.start);
                prop_assert_eq!(fit.live, live[fit.start..].iter().map(|item| item.cost).sum::<u32>());
                prop_assert_eq!(fit.prompt, prompt_cost(pinned.iter().copied().chain([fit.live, new])));
            }
            Err(too_long) => {
                prop_assert_eq!(too_long.needed, new - MESSAGE_OVERHEAD);
                prop_assert!(too_long.allowed < too_long.needed || too_long.allowed == 0);
            }
        }
    }

    // What an error allows does fit, to the token.
    #[test]
    fn the_allowed_length_is_exact(budget in 60_u32..5_000, pinned in 0_u32..50) {
        let turn = |new| Turn { pinned, live: &[], new };
        let allowed = whole_budget(budget, &turn(budget)).unwrap_err().allowed;
        prop_assert!(whole_budget(budget, &turn(allowed + MESSAGE_OVERHEAD)).is_ok());
        prop_assert!(whole_budget(budget, &turn(allowed + MESSAGE_OVERHEAD + 1)).is_err());
    }
}
