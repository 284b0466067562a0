//! What the ports promise, on a real replica set.

mod connecting;
mod counting;
mod hearing;
mod lost_answers;
mod outage;
mod proxy;
mod values;

use crate::testing::fresh;

storage_contract::chat_contract!(fresh);
