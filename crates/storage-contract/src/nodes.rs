//! What [`chat_core::ports::Nodes`] says.

use std::{collections::BTreeMap, sync::Arc};

use chat_core::{id::NodeId, ports::Beat};
use tokio::task::JoinSet;

use crate::{ChatStore, sample};

/// A node's counter begins at 1 and is one higher after each call.
pub async fn a_nodes_counter_rises_by_one_from_one(store: Arc<dyn ChatStore>) {
    let node = node();
    for count in 1..=3 {
        assert_eq!(
            store.renew(node).await.unwrap(),
            [Beat { node, count }],
            "{count}"
        );
    }
}

/// Every node that is there is given, the calling one among them.
pub async fn all_nodes_are_given(store: Arc<dyn ChatStore>) {
    let (one, other) = (node(), node());
    renewed(&store, one).await;
    assert_eq!(
        renewed(&store, other).await,
        BTreeMap::from([(one, 1), (other, 1)])
    );
    assert_eq!(
        renewed(&store, one).await,
        BTreeMap::from([(one, 2), (other, 1)])
    );
}

/// A retired node is not given any more; one that is not there is no error, and one that comes back begins anew.
pub async fn a_retired_node_is_not_given(store: Arc<dyn ChatStore>) {
    let (one, other, third) = (node(), node(), node());
    for node in [one, other, third] {
        renewed(&store, node).await;
    }
    for gone in [other, node(), third, other] {
        store.retire(gone).await.unwrap();
    }
    assert_eq!(renewed(&store, one).await, BTreeMap::from([(one, 2)]));
    assert_eq!(
        renewed(&store, other).await,
        BTreeMap::from([(one, 2), (other, 1)])
    );
}

/// A silent node is taken out only as long as its counter stands still, and it begins anew when it comes back.
pub async fn a_node_that_renewed_is_not_buried(store: Arc<dyn ChatStore>) {
    let (own, silent) = (node(), node());
    renewed(&store, silent).await;
    let beat = Beat {
        node: silent,
        count: 1,
    };
    assert_eq!(renewed(&store, silent).await[&silent], 2);
    assert!(!store.bury(beat).await.unwrap());
    assert_eq!(renewed(&store, own).await[&silent], 2);
    assert!(store.bury(Beat { count: 2, ..beat }).await.unwrap());
    assert_eq!(renewed(&store, own).await, BTreeMap::from([(own, 2)]));
    assert!(!store.bury(Beat { count: 2, ..beat }).await.unwrap());
    assert_eq!(renewed(&store, silent).await[&silent], 1);
}

/// When several nodes race to take one out, exactly one does.
pub async fn racing_burials_have_one_winner(store: Arc<dyn ChatStore>) {
    let silent = node();
    renewed(&store, silent).await;
    let mut racing = JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(&store);
        let beat = Beat {
            node: silent,
            count: 1,
        };
        racing.spawn(async move { store.bury(beat).await.unwrap() });
    }
    let winners = racing.join_all().await.into_iter().filter(|won| *won);
    assert_eq!(winners.count(), 1);
}

/// When nodes race, each counts its own.
pub async fn racing_nodes_count_their_own(store: Arc<dyn ChatStore>) {
    let mut racing = JoinSet::new();
    let nodes: Vec<_> = (0..8).map(|_| node()).collect();
    for &node in &nodes {
        let store = Arc::clone(&store);
        racing.spawn(async move {
            for count in 1..=5 {
                assert_eq!(renewed(&store, node).await[&node], count);
            }
        });
    }
    racing.join_all().await;
    let mut expected: BTreeMap<_, _> = nodes.iter().map(|&node| (node, 5)).collect();
    expected.insert(nodes[0], 6);
    assert_eq!(renewed(&store, nodes[0]).await, expected);
}

async fn renewed(store: &Arc<dyn ChatStore>, node: NodeId) -> BTreeMap<NodeId, u64> {
    let beats = store.renew(node).await.unwrap();
    let counts: BTreeMap<_, _> = beats.iter().map(|beat| (beat.node, beat.count)).collect();
    assert_eq!(counts.len(), beats.len(), "a node is given twice");
    counts
}

fn node() -> NodeId {
    NodeId::new(sample::uuid())
}
